"""The API-mapping framework: YAML specs to an attribute chain to HTTP requests. It knows no particular API."""
