// Reads resources, each a line of JSON, and prints for each what kstatus takes it for: a line of JSON with its status
// (InProgress, Failed, Current, Terminating, NotFound, Unknown) and its message.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := judge(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for number := 1; lines.Scan(); number++ {
		resource := &unstructured.Unstructured{}
		if err := resource.UnmarshalJSON(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		result, err := status.Compute(resource)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := answers.Encode(verdict{Status: string(result.Status), Message: result.Message}); err != nil {
			return err
		}
	}
	return lines.Err()
}
