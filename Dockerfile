# The same release as on a machine: "npm run build" makes it. How to run it: docs/guide/container.md
FROM debian:trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
RUN useradd --system --no-create-home lifeboat && install -d -m 700 -o lifeboat -g lifeboat /data /run/lifeboat
RUN ln -sf /proc/sys/kernel/hostname /etc/machine-id && ln -s /opt/lifeboat/current/bin/lifeboat /usr/local/bin/lifeboat
ARG PLATFORM=linux-x64
ADD .release/latest-${PLATFORM}.tar.gz /opt/lifeboat/current/
ENV LIFEBOAT_DATA_DIR=/data LIFEBOAT_RUN_DIR=/run/lifeboat LIFEBOAT_LITESTREAM=/opt/lifeboat/current/bin/litestream
ENV LIFEBOAT_HOST=:: LIFEBOAT_PORT=8080
USER lifeboat
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["/opt/lifeboat/current/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.LIFEBOAT_PORT}/ready`).then((answer) => process.exit(answer.ok ? 0 : 1))"]
ENTRYPOINT ["tini", "--", "/opt/lifeboat/current/bin/run-contained"]
