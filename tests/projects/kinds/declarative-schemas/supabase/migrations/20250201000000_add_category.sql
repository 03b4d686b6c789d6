set check_function_bodies = off;

alter table "public"."products" add column "category" text;

CREATE OR REPLACE FUNCTION public.categories()
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
AS $function$
  select distinct category from public.products where category is not null
$function$
;
