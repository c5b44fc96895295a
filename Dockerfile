# Two stages: build with Rust's image, then copy only the program into the final one.
#
#   docker build -t ficha .
#   docker run -p 127.0.0.1:8080:8080 -v ficha-data:/data -e FICHA__SERVER__ISSUER=http://localhost:8080 ficha

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked -p ficha

FROM debian:bookworm-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ficha \
 && install -d -m 0700 -o 10001 -g 10001 /data
COPY --from=build /build/target/release/ficha /usr/local/bin/ficha

USER 10001:10001
# The default paths begin with data/, so from here they point to the volume.
WORKDIR /
VOLUME /data
# A container's loopback can't be reached from outside. With this address the server needs server.issuer, too.
ENV FICHA__SERVER__BIND=0.0.0.0:8080
EXPOSE 8080

# The image has no curl, so bash opens the connection itself. This works for plain HTTP on port 8080: with server.tls or
# another port, define another check.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health/ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["ficha"]
CMD ["serve"]
