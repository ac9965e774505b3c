# The page. A model server answers for it (MEDINJECT_ENGINE_URL), a fleet, or the bundled miniature on the processor.
FROM python:3.11-slim
WORKDIR /srv
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 GRADIO_ANALYTICS_ENABLED=False
# The processor answers several times as fast by a library that is compiled where it runs.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY requirements.txt requirements-fleet.txt constraints.txt ./
# torch from an index of its own where one is given: the registry's build for Linux brings CUDA along, which a page that
# asks a server does not need.
ARG TORCH_INDEX=
# Anything here brings Ray along, for a page that a fleet answers for, and for the fleet (compose.fleet.yaml).
ARG FLEET=
RUN pip install --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
 && pip install --constraint constraints.txt --requirement requirements.txt ${FLEET:+--requirement requirements-fleet.txt}
COPY . .
RUN useradd --system --home-dir /srv page && mkdir -p data && chown page data
USER page
EXPOSE 7860
CMD ["python", "-m", "medinject_demo", "serve", "--host", "0.0.0.0", "--port", "7860"]
