# The one image of all roles: integration-workflow <role>. Build dist first: npm run build, then
#   docker build --build-arg VERSION=$(npm pkg get version | tr -d '"') --tag registry.example.com/integration-workflow-operator .
# Any base with Node 26 at /nodejs/bin/node will do; cluster/image.ts makes one of Debian's packages where no registry can be reached.
ARG BASE=gcr.io/distroless/nodejs26-debian13:nonroot
FROM ${BASE}
# An argument counts from here on when it is named again.
ARG BASE
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="integration-workflow" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.description="Integration workflows between Microsoft Dynamics 365 and Adobe Campaign Standard, as Kubernetes resources" \
      org.opencontainers.image.licenses="Apache-2.0"
# Copies make the folders, so that they are root's and not the program's to write; WORKDIR would make them its user's.
COPY LICENSE package.json /app/
COPY dist/main.js dist/part-*.js /app/dist/
# What of others is in it, and their licences.
COPY dist/sbom.cdx.json dist/THIRD-PARTY-LICENSES.txt /app/dist/
COPY dist/console /app/dist/console
WORKDIR /app
# For kubectl exec: integration-workflow record <key>
COPY --chmod=755 bin/integration-workflow /usr/bin/
# The C library keeps memory for each thread that ever wanted some: two such pools are enough for one thread that works.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
# Nobody's number, so that runAsNonRoot can be checked without a name. Writes nothing outside the volumes it is given.
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "dist/main.js"]
