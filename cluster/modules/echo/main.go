// Command echo is the least that answers an edit: it watches all workflows of a namespace, and to each of those that it was
// told of whose generation its status does not tell, it writes a status of the usual size at once. It decides nothing.
//
// echo <kubeconfig> <namespace> <prefix of the names>
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

var workflows = schema.GroupVersionResource{
	Group: "integrationworkflow.io", Version: "v1", Resource: "integrationworkflows",
}

const (
	at      = "2026-01-01T00:00:00Z"
	message = "The workflow was edited, and runs as it was started"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: echo <kubeconfig> <namespace> <prefix>"))
	}
	kubeconfig, namespace, prefix := os.Args[1], os.Args[2], os.Args[3]
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		fail(err)
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		fail(err)
	}
	resource := client.Resource(workflows).Namespace(namespace)
	answer := func(object any) {
		workflow := object.(*unstructured.Unstructured)
		observed, _, _ := unstructured.NestedInt64(workflow.Object, "status", "observedGeneration")
		if !strings.HasPrefix(workflow.GetName(), prefix) || observed == workflow.GetGeneration() {
			return
		}
		go func() {
			if _, err := resource.UpdateStatus(context.Background(), answerTo(workflow), metav1.UpdateOptions{}); err != nil {
				fail(err)
			}
		}()
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	informer := factory.ForResource(workflows).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    answer,
		UpdateFunc: func(_, object any) { answer(object) },
	})
	if err != nil {
		fail(err)
	}
	factory.Start(context.Background().Done())
	select {}
}

// answerTo is as small as an update may be: what names the object, and its status.
func answerTo(workflow *unstructured.Unstructured) *unstructured.Unstructured {
	generation := workflow.GetGeneration()
	conditions := []any{}
	for _, kind := range []string{"Ready", "Running", "Reconciling", "Stalled", "RestartRequired"} {
		conditions = append(conditions, map[string]any{
			"type": kind, "status": "True", "reason": "Running", "message": message,
			"lastTransitionTime": at, "observedGeneration": generation,
		})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": workflow.GetAPIVersion(),
		"kind":       workflow.GetKind(),
		"metadata": map[string]any{
			"name":            workflow.GetName(),
			"namespace":       workflow.GetNamespace(),
			"uid":             string(workflow.GetUID()),
			"resourceVersion": workflow.GetResourceVersion(),
		},
		"status": map[string]any{
			"observedGeneration": generation,
			"state":              "RUNNING",
			"pendingRestart":     true,
			"pendingChangeCount": int64(1),
			"pendingChanges": []any{map[string]any{
				"path": "campaign.engineCallsPerSecond", "from": "20", "to": strconv.FormatInt(generation, 10), "source": "Spec",
			}},
			"conditions":  conditions,
			"transitions": []any{map[string]any{"at": at, "to": "RUNNING", "reason": "WorkerReady"}},
		},
	}}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "echo:", err)
	os.Exit(1)
}
