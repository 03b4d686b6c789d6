create or replace function public.update_updated_at_column()
  returns trigger language plpgsql set search_path = '' as
  $$ BEGIN -- stamps it
       NEW.updated_at = NOW() ; /* now */
       RETURN NEW; END; $$;
