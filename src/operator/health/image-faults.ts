import type { PodSeen } from "../sight/snapshot.ts";
import type { Evidence } from "./evidence.ts";
import { quote } from "./quote.ts";

/** The node cannot get the worker's image, and has said so of a container that waits. */
export function imageFault(pod: PodSeen): Evidence | undefined {
  const { reason, message } = pod.worker?.waiting ?? { reason: "", message: "" };
  const { name } = pod.metadata;
  // containerd and the kubelet name the image, in this form.
  const image = /image "([^"]+)"/.exec(message)?.[1];
  const named = image === undefined ? "the worker's image" : `image "${image}"`;
  switch (reason) {
    case "ImagePullBackOff": {
      const [why, remedy] = whyNotPulled(message);
      return {
        reason,
        message: `Node ${pod.node ?? "?"} cannot pull ${named} for pod ${name}: ${why}. ${remedy}. The kubelet says: ${quote(message)}`,
      };
    }
    case "InvalidImageName": {
      const detail = /invalid reference format: (.+)$/.exec(message)?.[1] ?? quote(message);
      const written = /image name "([^"]+)"/.exec(message)?.[1] ?? image;
      return {
        reason,
        message: `worker.image ${written === undefined ? "" : `"${written}" `}is no name of an image: ${detail}. Correct it and restart`,
      };
    }
    case "ErrImageNeverPull":
      return {
        reason,
        message: `Node ${pod.node ?? "?"} does not have ${named} of pod ${name}, and may not pull it: the pull policy Never is not the operator's, so an admission webhook or policy has set it. Put the image on the node, or have that changed`,
      };
    default:
      return undefined;
  }
}

/** By what containerd says, whose words these are as seen on Kubernetes 1.36 with containerd 2. */
function whyNotPulled(message: string): readonly [why: string, remedy: string] {
  if (/x509|certificate/i.test(message)) {
    return [
      "it does not trust the registry's certificate",
      "Have the node trust it, or correct worker.image and restart",
    ];
  }
  if (/\b(401|403)\b|unauthorized|authorization failed|denied|forbidden/i.test(message)) {
    return [
      "the registry refuses to give it",
      "Name a Secret with the registry's credentials in worker.template.imagePullSecrets and restart, or mend the one that is named there",
    ];
  }
  if (/no such host|dial tcp|i\/o timeout|connection refused|deadline exceeded|EOF/i.test(message)) {
    return [
      "the registry cannot be reached from there",
      "See that the node reaches it, or correct worker.image and restart",
    ];
  }
  if (/not ?found|manifest unknown|\b404\b/i.test(message)) {
    return ["the registry does not have it", `${correct}, or push it`];
  }
  return ["it does not come", `${correct}, or see that the node reaches the registry`];
}

const correct = "Correct worker.image and restart (the operator's own image, where it is left out)";
