# PostgreSQL 15 with recsys.  Built from this tree:
#	buildah bud -f deploy/images/postgres.Dockerfile -t recsys-postgres .
# Compilers stay in the first stage.  Runs as user 999 on a read-only root: what
# is written goes to /var/lib/postgresql (a volume), /run/postgresql and /tmp.
ARG BASE=debian:12.11-slim

FROM ${BASE} AS build
RUN apt-get update -q \
	&& apt-get install -y -q --no-install-recommends postgresql-common \
	&& sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
	&& apt-get install -y -q --no-install-recommends gcc libc6-dev make postgresql-server-dev-15 \
		libopenblas0-pthread librdkafka-dev
COPY . /src
RUN make -C /src -s -j2 with_llvm=no && make -C /src -s install with_llvm=no DESTDIR=/out

FROM ${BASE}
LABEL org.opencontainers.image.title="recsys-postgres" \
	org.opencontainers.image.description="PostgreSQL 15 with recsys: recommendations in SQL" \
	org.opencontainers.image.licenses="PostgreSQL"
RUN groupadd -g 999 postgres && useradd -u 999 -g 999 -d /var/lib/postgresql -M -s /usr/sbin/nologin postgres \
	&& apt-get update -q \
	&& apt-get install -y -q --no-install-recommends postgresql-common \
	&& sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
	&& apt-get install -y -q --no-install-recommends postgresql-15 libopenblas0-pthread librdkafka1 \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /usr/share/doc /usr/share/man \
	&& mkdir -p /var/lib/postgresql /run/postgresql && chown 999:999 /var/lib/postgresql /run/postgresql
COPY --from=build /out/ /
COPY deploy/images/postgres-start /usr/local/bin/
USER 999:999
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql
EXPOSE 5432
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD pg_isready -q -h /run/postgresql
ENTRYPOINT ["/usr/local/bin/postgres-start"]
