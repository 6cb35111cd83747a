package main

// Strict reading, section 2 of the page: base64url, JSON, and the three segments of a proof.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	depthMax      = 16
	proofBytesMax = 4096
)

// refused is a rule that a proof breaks: a label of the page's table of checks.
type refused string

func (r refused) Error() string { return string(r) }

// The decoder of the standard library skips line breaks; ours does not.
func decodeBase64url(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

func encodeBase64url(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// jsonObject reads an object that no two readers can read differently. Numbers are json.Number.
func jsonObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	if halfAPair(data) {
		return nil, errors.New("half of a surrogate pair")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := jsonValue(decoder, depthMax)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something after the value")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return object, nil
}

func jsonValue(decoder *json.Decoder, depthLeft int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case string:
		if strings.Contains(token, "\x00") {
			return nil, errors.New("U+0000")
		}
	case json.Number:
		if _, err := strconv.ParseFloat(string(token), 64); err != nil {
			return nil, errors.New("a number beyond a double")
		}
	case json.Delim:
		if depthLeft == 0 {
			return nil, errors.New("nested too deeply")
		}
		if token == '{' {
			return jsonMembers(decoder, depthLeft-1)
		}
		list := []any{}
		for decoder.More() {
			item, err := jsonValue(decoder, depthLeft-1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := decoder.Token()
		return list, err
	}
	return token, nil
}

func jsonMembers(decoder *json.Decoder, depthLeft int) (any, error) {
	members := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice || strings.Contains(name, "\x00") {
			return nil, errors.New("a member twice, or U+0000 in its name")
		}
		if members[name], err = jsonValue(decoder, depthLeft); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return members, err
}

// halfAPair finds an escaped surrogate without its other half, which the decoder would replace.
func halfAPair(data []byte) bool {
	escaped := func(at int) (rune, bool) {
		if at+6 > len(data) || data[at] != '\\' || data[at+1] != 'u' {
			return 0, false
		}
		number, err := strconv.ParseUint(string(data[at+2:at+6]), 16, 16)
		return rune(number), err == nil
	}
	for at := 0; at < len(data); at++ {
		if data[at] != '\\' {
			continue
		}
		first, ok := escaped(at)
		if !ok || first < 0xd800 || first > 0xdfff {
			at++ // Whatever is escaped begins nothing.
			continue
		}
		second, ok := escaped(at + 6)
		if first > 0xdbff || !ok || second < 0xdc00 || second > 0xdfff {
			return true
		}
		at += 11
	}
	return false
}

// jws is a compact JWS whose form is good. Nothing in it is to be believed yet.
type jws struct {
	text      string
	header    map[string]any
	payload   map[string]any
	signature []byte
}

func parseJws(text string) (*jws, error) {
	if len(text) > proofBytesMax {
		return nil, refused("too_large")
	}
	segments := strings.Split(text, ".")
	if len(segments) != 3 {
		return nil, refused("not_compact")
	}
	var decoded [3][]byte
	for at, segment := range segments {
		var err error
		if decoded[at], err = decodeBase64url(segment); err != nil {
			return nil, refused("not_base64url")
		}
	}
	header, err := jsonObject(decoded[0])
	if err != nil {
		return nil, refused("not_json")
	}
	_, critical := header["crit"]
	b64, has := header["b64"]
	if critical || has && b64 != true {
		return nil, refused("extension")
	}
	if kid, has := header["kid"]; has && !isText(kid) {
		return nil, refused("header_malformed")
	}
	payload, err := jsonObject(decoded[1])
	if err != nil {
		return nil, refused("not_json")
	}
	return &jws{text, header, payload, decoded[2]}, nil
}

func isText(value any) bool {
	_, ok := value.(string)
	return ok
}
