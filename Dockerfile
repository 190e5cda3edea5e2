# The image of operator and gateway: Node, the C library it needs, the compiled program and its production packages. No shell,
# no package manager, no root. `image/build.sh` builds it without a registry; with one,
# `docker build --build-arg BUILD_IMAGE=<image>@sha256:<digest> .` does.

# A Debian with apt, npm and the Node release that package.json names.
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
# What the program is laid upon: the stage below, or an image with glibc, libstdc++ and CA certificates, pinned by its digest.
ARG BASE_IMAGE=root

FROM ${BUILD_IMAGE} AS packages
COPY image/root.sh /
# In one step, so that lists of packages which could not be fetched, or are old, are never kept for the next.
RUN apt-get -qq -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update && \
    apt-get install -y -qq --no-install-recommends binutils && \
    sh /root.sh /root-of-image && \
    strip --strip-unneeded -o /node "$(command -v node)"

FROM scratch AS root
COPY --from=packages /root-of-image /

# Secrets are for a network with a registry or certificates of its own; a build without them does without. Installation scripts
# are not run: the one that matters would fetch Node, which is here.
FROM ${BUILD_IMAGE} AS production
WORKDIR /app
COPY package.json package-lock.json image/check-node.js image/trim.sh ./
RUN node check-node.js
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca NODE_EXTRA_CA_CERTS=/run/secrets/ca \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
RUN sh trim.sh node_modules && npm ls --omit=dev --all >/dev/null
RUN npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx >sbom.cdx.json

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca NODE_EXTRA_CA_CERTS=/run/secrets/ca \
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY tsconfig.json tsconfig.build.json ./
COPY crds crds
COPY kube kube
COPY operator operator
COPY policy policy
COPY gateway gateway
COPY cli cli
RUN npm run build

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="holdfast" \
      org.opencontainers.image.description="A WebSocket gateway for Kubernetes whose configuration changes never drop a connection" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages /node /usr/local/bin/node
COPY image/holdfast /usr/local/bin/holdfast
COPY LICENSE package.json package-lock.json /app/
COPY --from=production /app/sbom.cdx.json /app/sbom.cdx.json
COPY --from=production /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
ENV NODE_ENV=production
WORKDIR /app
USER 65532:65532
EXPOSE 8080 8443 8081 9090
ENTRYPOINT ["/usr/local/bin/holdfast"]
