package main

// The contracts, compiled from proto/ when the program starts: nothing generated lies about.

import (
	"context"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// contracts are the methods by their paths.
type contracts map[string]protoreflect.MethodDescriptor

func compile(folder string) (contracts, error) {
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(
		&protocompile.SourceResolver{ImportPaths: []string{folder}})}
	files, err := compiler.Compile(context.Background(),
		"countersign/token/v1/token.proto", "countersign/example/v1/orders.proto")
	if err != nil {
		return nil, err
	}
	methods := contracts{}
	for _, file := range files {
		for at := range file.Services().Len() {
			service := file.Services().Get(at)
			for at := range service.Methods().Len() {
				method := service.Methods().Get(at)
				methods["/"+string(service.FullName())+"/"+string(method.Name())] = method
			}
		}
	}
	return methods, nil
}

// request is a message for the method, from protobuf's JSON.
func (c contracts) request(path, text string) (proto.Message, error) {
	message := dynamicpb.NewMessage(c[path].Input())
	return message, protojson.Unmarshal([]byte(text), message)
}

// text is a field of a message, along a path of names.
func text(message proto.Message, names ...protoreflect.Name) string {
	value := protoreflect.ValueOfMessage(message.ProtoReflect())
	for _, name := range names {
		inner := value.Message()
		value = inner.Get(inner.Descriptor().Fields().ByName(name))
	}
	return value.String()
}
