alter index public.messages_pkey rename to messages_id_pk;
