package main

// The target of a call, section 4 of the page.

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	unreserved = `A-Za-z0-9\-._~`
	subDelims  = `!$&'()*+,;=`
)

var (
	isUnreserved = regexp.MustCompile(`^[` + unreserved + `]$`).MatchString
	isName       = regexp.MustCompile(`^[` + unreserved + subDelims + `]+$`).MatchString
	isPath       = regexp.MustCompile(`^[` + unreserved + subDelims + `:@/]*$`).MatchString
	isEncoded    = regexp.MustCompile(`^[` + unreserved + subDelims + `:@/%]*$`).MatchString
	isURI        = regexp.MustCompile(`^[` + unreserved + subDelims + `:@/%?#\[\]]*$`).MatchString
	isPort       = regexp.MustCompile(`^[1-9][0-9]{0,4}$`).MatchString
	isHex        = regexp.MustCompile(`^[0-9A-Fa-f]{2}$`).MatchString
	defaultPorts = map[string]string{"https": "443", "http": "80"}
)

// normalTarget is the URI in its normal form, without query and fragment.
func normalTarget(uri string) (string, error) {
	scheme, rest, absolute := strings.Cut(uri, "://")
	scheme = strings.ToLower(scheme)
	port, known := defaultPorts[scheme]
	if !isURI(uri) || !absolute || !known {
		return "", errors.New("not an absolute http or https URI")
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	authority, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	authority, err := normalAuthority(authority, port)
	if err != nil {
		return "", err
	}
	if path, err = normalPath(path); err != nil {
		return "", err
	}
	return scheme + "://" + authority + path, nil
}

// originOf is a configured origin, ready to have a call's path behind it.
func originOf(uri string) (string, error) {
	if strings.ContainsAny(uri, "?#") {
		return "", errors.New("an origin has no query and no fragment")
	}
	normal, err := normalTarget(uri)
	return strings.TrimSuffix(normal, "/"), err
}

// targetOf is the target of a call of path, as received.
func targetOf(origin, path string) (string, error) {
	origin, err := originOf(origin)
	if err != nil {
		return "", err
	}
	segments := strings.Split(path, "/")
	if !strings.HasPrefix(path, "/") || !isPath(path) ||
		slices.Contains(segments, ".") || slices.Contains(segments, "..") {
		return "", errors.New("the path is not plain")
	}
	return origin + path, nil
}

func normalAuthority(authority, defaultPort string) (string, error) {
	if strings.Contains(authority, "@") {
		return "", errors.New("user information")
	}
	host, port, _ := strings.Cut(authority, ":")
	if literal, isLiteral := strings.CutPrefix(authority, "["); isLiteral {
		text, after, closed := strings.Cut(literal, "]")
		address, err := netip.ParseAddr(text)
		if !closed || err != nil || !address.Is6() || address.Zone() != "" ||
			after != "" && after[0] != ':' {
			return "", errors.New("not an address")
		}
		host, port = "["+address.String()+"]", strings.TrimPrefix(after, ":")
	} else {
		decoded, err := decodeUnreserved(host)
		if err != nil || !isName(decoded) {
			return "", errors.New("not a host")
		}
		host = strings.ToLower(decoded)
	}
	if port == "" || port == defaultPort {
		return host, nil
	}
	if number, err := strconv.Atoi(port); !isPort(port) || err != nil || number > 65535 {
		return "", errors.New("not a port")
	}
	return host + ":" + port, nil
}

func normalPath(path string) (string, error) {
	text, err := decodeUnreserved(path)
	if err != nil || !isEncoded(text) {
		return "", errors.New("not a path")
	}
	segments := strings.Split(text, "/")[1:]
	kept := []string{}
	for _, segment := range segments {
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	if len(kept) == 0 || slices.Contains([]string{".", ".."}, segments[len(segments)-1]) {
		kept = append(kept, "")
	}
	return "/" + strings.Join(kept, "/"), nil
}

// decodeUnreserved decodes encodings of unreserved characters, and puts others in upper case.
func decodeUnreserved(text string) (string, error) {
	var decoded strings.Builder
	for at := 0; at < len(text); at++ {
		if text[at] != '%' {
			decoded.WriteByte(text[at])
			continue
		}
		if at+3 > len(text) || !isHex(text[at+1:at+3]) {
			return "", errors.New("half of a percent-encoding")
		}
		digits := text[at+1 : at+3]
		number, _ := strconv.ParseUint(digits, 16, 8)
		if letter := string(rune(number)); isUnreserved(letter) {
			decoded.WriteString(letter)
		} else {
			decoded.WriteString("%" + strings.ToUpper(digits))
		}
		at += 2
	}
	return decoded.String(), nil
}
