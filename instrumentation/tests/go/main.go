// A Go service with the usual carrier around its headers: it answers each message, as a child of the sender's span.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

type object = map[string]any

func main() {
	propagator := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	words := json.NewEncoder(os.Stdout)
	connection, err := nats.Connect(os.Getenv("NATS_URL"), nats.Name("go"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = connection.Subscribe("go.asked", func(message *nats.Msg) {
		received := propagator.Extract(context.Background(), propagation.HeaderCarrier(message.Header))
		parent := trace.SpanContextFromContext(received)
		own := parent.WithSpanID(trace.SpanID{0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb})
		answer := nats.NewMsg("go.answered")
		propagator.Inject(trace.ContextWithSpanContext(received, own), propagation.HeaderCarrier(answer.Header))
		if err := connection.PublishMsg(answer); err != nil {
			log.Fatal(err)
		}
		carried := [][2]any{}
		for _, member := range baggage.FromContext(received).Members() {
			carried = append(carried, [2]any{member.Key(), object{"value": member.Value()}})
		}
		words.Encode(object{
			"parent": object{
				"traceId":  parent.TraceID().String(),
				"spanId":   parent.SpanID().String(),
				"isRemote": parent.IsRemote(),
			},
			"baggage": carried,
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	connection.Flush() // the server has the subscription now
	words.Encode(object{"ready": true})
	select {}
}
