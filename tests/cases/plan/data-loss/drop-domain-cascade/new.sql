drop domain s.positive cascade;
