alter view public.v reset (security_invoker);
