drop database other;
