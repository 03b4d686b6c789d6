DROP POLICY IF EXISTS "own recipes" ON recipes;
CREATE POLICY "own recipes" ON recipes FOR ALL TO authenticated
  USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid()));
GRANT SELECT, INSERT, UPDATE, DELETE ON recipes TO authenticated, service_role;
GRANT USAGE, SELECT ON SEQUENCE recipes_id_seq TO authenticated, service_role;
