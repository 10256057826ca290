import type { Course } from "./moves.ts";

/** Walks that once broke a rule, written down as they were found, and as short as they could be made. */
export const keptWalks: Readonly<Record<string, Course>> = {
  "what the worker of an earlier resource of this name said last was told of the new one": {
    workflows: 1,
    steps: [
      ["start", 3, 2],
      ["all is quiet", 3, 1],
      ["delete the resource in the foreground", 3, 0],
      ["deployment controller", 6, 2],
      ["replica set controller", 4, 2],
      ["garbage collector", 9, 2],
      ["garbage collector", 3, 1],
      ["a pod ends", 3, 1],
      ["make it again", 0, 1],
      ["all is quiet", 7, 2],
      ["restart", 8, 2],
      ["all is quiet", 5, 1],
    ],
  },
  "a new leader, whose watch of workflows was behind, stopped a run that was asked for": {
    workflows: 2,
    steps: [
      ["start", 5, 2],
      ["all watches", 5, 0],
      ["look while the cluster moves", 7, 0],
      ["the other version leads", 5, 0],
      ["look", 11, 0],
    ],
  },
  "a new leader, whose watch of workflows alone was behind, stopped a run that was asked for": {
    workflows: 1,
    steps: [
      ["start", 0, 0],
      ["all watches", 0, 0],
      ["look", 0, 0],
      ["the other version leads", 0, 0],
      ["watch of Deployment", 0, 0],
      ["look", 0, 0],
    ],
  },
  "a new leader, whose watch of workflows was behind, started a run that was asked to stop": {
    workflows: 1,
    steps: [
      ["start", 0, 0],
      ["all watches", 0, 0],
      ["look", 0, 0],
      ["the other version leads", 0, 0],
      ["watch of Workflow", 0, 0],
      ["the other version leads", 0, 0],
      ["stop", 0, 0],
      ["all is quiet", 0, 0],
      ["deployment controller", 0, 0],
      ["all is quiet", 0, 0],
      ["the other version leads", 0, 0],
      ["watch of ConfigMap", 0, 0],
      ["watch of PersistentVolumeClaim", 0, 0],
      ["watch of NetworkPolicy", 0, 0],
      ["watch of Deployment", 0, 0],
      ["look", 0, 0],
    ],
  },
  "an edit that came while a start was looked at gave two workflows one opt-out": {
    workflows: 2,
    steps: [
      ["start", 3, 1],
      ["start", 2, 0],
      ["edit", 7, 0],
      ["look while the cluster moves", 10, 1],
      ["look while the cluster moves", 7, 0],
    ],
  },
  "what the worker of an earlier resource of this name answered before the first look was told of the new one": {
    workflows: 1,
    steps: [
      ["start", 0, 0],
      ["watch of Workflow", 0, 0],
      ["look", 0, 0],
      ["deployment controller", 0, 0],
      ["replica set controller", 0, 0],
      ["a pod is up and ready", 0, 0],
      ["the operator dies", 0, 0],
      ["a worker answers", 0, 0],
      ["delete the resource", 0, 0],
    ],
  },
  "a Deployment whose labels somebody took off was never stopped": {
    workflows: 1,
    steps: [
      ["start", 4, 2],
      ["all is quiet", 6, 0],
      ["take the labels off", 6, 2],
      ["restart as before", 10, 1],
    ],
  },
};
