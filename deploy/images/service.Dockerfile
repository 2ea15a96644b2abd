# The HTTP service.  Built from this tree:
#	buildah bud -f deploy/images/service.Dockerfile -t recsys-service .
# Runs as user 998 on a read-only root and writes nowhere.
ARG BASE=debian:12.11-slim

FROM ${BASE}
LABEL org.opencontainers.image.title="recsys-service" \
	org.opencontainers.image.description="Recommendations over HTTP from PostgreSQL with recsys" \
	org.opencontainers.image.licenses="PostgreSQL"
RUN groupadd -g 998 service && useradd -u 998 -g 998 -d /nonexistent -M -s /usr/sbin/nologin service \
	&& apt-get update -q \
	&& apt-get install -y -q --no-install-recommends python3-fastapi python3-uvicorn python3-uvloop \
		python3-asyncpg python3-prometheus-client python3-confluent-kafka \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /usr/share/doc /usr/share/man
COPY deploy/service/ /usr/local/lib/recsys-service/
RUN python3 -m compileall -q /usr/local/lib/recsys-service
USER 998:998
ENV RECSYS_HOST=0.0.0.0 RECSYS_PORT=5000
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s CMD ["/usr/bin/python3", "-c", \
	"import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['RECSYS_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["/usr/bin/python3", "/usr/local/lib/recsys-service"]
