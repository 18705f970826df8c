-- For psql, in the container of compose.yaml: gives the role exporter the password of the secret.
\set password `cat /run/secrets/warehouse_password`
ALTER ROLE exporter PASSWORD :'password';
