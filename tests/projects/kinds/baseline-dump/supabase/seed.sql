insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
values ('00000000-0000-0000-0000-000000000000', '3f0c8d5e-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ann@example.com',
        crypt('not-a-real-password', gen_salt('bf')), now(), '{"provider": "email", "providers": ["email"]}', '{}', now(), now());

INSERT INTO "public"."orders" ("id", "customer", "state") VALUES
	(1, '3f0c8d5e-0000-4000-8000-000000000001', 'paid'),
	(2, '3f0c8d5e-0000-4000-8000-000000000001', 'open');

INSERT INTO "public"."order_lines" ("id", "order_id", "article", "quantity", "price") VALUES
	(1, 1, 'Tea; green', 2, 4.50),
	(2, 1, 'Cup', 1, 9.00),
	(3, 2, E'Ann''s "pot"\n', 1, 30.00);

SELECT pg_catalog.setval('"public"."orders_id_seq"', 2, true);
SELECT pg_catalog.setval('"public"."order_lines_id_seq"', 3, true);

--
-- Name: key_key_id_seq; Type: SEQUENCE SET; Schema: pgsodium; Owner: supabase_admin
--

SELECT pg_catalog.setval('"pgsodium"."key_key_id_seq"', 1, false);
