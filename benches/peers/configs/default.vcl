# Varnish: everything is cached as it comes. It does not look at If-Match.
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "@ORIGIN_PORT@";
    .max_connections = 256;
}

sub vcl_backend_response {
    set beresp.ttl = 1d;
}
