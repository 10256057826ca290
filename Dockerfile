# The one image of all roles: integration-workflow <role>. Build dist/main.js first: npm run build
# Any base with Node 26 at /nodejs/bin/node will do; cluster/image.ts makes one of Debian's packages where no registry can be reached.
ARG BASE=gcr.io/distroless/nodejs26-debian13:nonroot
FROM ${BASE}
LABEL org.opencontainers.image.title="integration-workflow" \
      org.opencontainers.image.description="Integration workflows between Microsoft Dynamics 365 and Adobe Campaign Standard, as Kubernetes resources" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY LICENSE package.json ./
COPY dist/main.js dist/
# For kubectl exec: integration-workflow record <key>
COPY --chmod=755 bin/integration-workflow /usr/bin/
ENV NODE_ENV=production
# Nobody's number, so that runAsNonRoot can be checked without a name. Writes nothing outside the volumes it is given.
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "dist/main.js"]
