// A Countersign client for reading: see ../README.md.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("which command: vectors or calls?")
	}
	switch words[0] {
	case "vectors":
		file := "../../docs/grpc-dpop-vectors.json"
		if len(words) > 1 {
			file = words[1]
		}
		return runVectors(file)
	case "calls":
		s := settings{secret: os.Getenv("CLIENT_SECRET")}
		flags := flag.NewFlagSet("calls", flag.ExitOnError)
		flags.StringVar(&s.proto, "proto", "../../proto", "the folder of the contracts")
		flags.StringVar(&s.tokenService, "token-service", "", "the token service's URL")
		flags.StringVar(&s.client, "client", "", "the client's identifier; its secret is read from CLIENT_SECRET")
		flags.StringVar(&s.orders, "orders", "", "the guarded service's URL")
		flags.StringVar(&s.resource, "resource", "", "the resource that its tokens are for")
		flags.StringVar(&s.briefOrders, "brief-orders", "", "another one's URL, whose tokens live for seconds, if there is one")
		flags.StringVar(&s.briefResource, "brief-resource", "", "the resource that those are for")
		if err := flags.Parse(words[1:]); err != nil {
			return err
		}
		return runCalls(s)
	}
	return fmt.Errorf("there is no command %q", words[0])
}
