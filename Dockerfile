# Two stages: build with Rust's image, then copy only the program into the final one. It needs BuildKit, which is
# Docker's builder since version 23; before that, set DOCKER_BUILDKIT=1.
#
#   docker build -t ficha .
#   docker run -p 127.0.0.1:8080:8080 -v ficha-data:/data -e FICHA__SERVER__ISSUER=http://localhost:8080 ficha
#
# See docs/src/how-to/run-in-a-container.md.

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
# Crates and compiled dependencies stay in caches of the building machine, so that a change of Ficha compiles Ficha
# only. `locked`: a build for another architecture waits, because both would write target/release/ficha. Cargo goes by
# the files' times, and those from an archive may be older than the cache: `touch` keeps it from taking an old program
# for the new one. The caches are not part of the image, so the program is copied out of them here.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
 && cargo build --release --locked -p ficha \
 && install -D target/release/ficha /out/ficha \
 && strip /out/ficha

FROM debian:bookworm-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ficha \
 && install -d -m 0700 -o 10001 -g 10001 /data
# For `ficha login` to a server with a public certificate. Debian's package would bring the program openssl, too.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# A release's image has the licences of others, too: packaging/licences writes the file.
COPY LICENSE* /usr/share/doc/ficha/
COPY --from=build /out/ficha /usr/local/bin/ficha

USER 10001:10001
# The default paths begin with data/, so from here they point to the volume.
WORKDIR /
VOLUME /data
# A container's loopback can't be reached from outside. With this address the server needs server.issuer, too.
ENV FICHA__SERVER__BIND=0.0.0.0:8080
EXPOSE 8080

# It reads the settings that the server reads, so it finds another port and HTTPS by itself. A file with settings is
# named by FICHA_CONFIG: what `--config` says to the server can't be seen here.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["ficha", "health"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["ficha"]
CMD ["serve"]

LABEL org.opencontainers.image.title="Ficha" \
      org.opencontainers.image.description="\
An OAuth2 password-flow authorization server with tokens that can be revoked" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT" \
      org.opencontainers.image.source="https://github.com/ficha-auth/ficha" \
      org.opencontainers.image.documentation="https://github.com/ficha-auth/ficha/tree/main/docs/src" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
