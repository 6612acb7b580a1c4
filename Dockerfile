# One image for the collector, the dashboard and the shop; docker-compose.yml chooses which one a container runs.
FROM python:3.13-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY instrumentation instrumentation
COPY collector collector
COPY dashboard dashboard
COPY sample_services sample_services
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt \
        './instrumentation[instruments]' '.[dashboard,samples]'

FROM python:3.13-slim
# Traces hold business data: an attacker who takes over the process should not be root as well.
RUN useradd --system --uid 10001 --create-home choreoscope \
 && install --directory --owner=choreoscope --mode=0700 /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CHOREOSCOPE_DATA=/data
USER choreoscope
WORKDIR /home/choreoscope
VOLUME /data
EXPOSE 4317 4318 4319 8501
CMD ["choreoscope", "collector"]
