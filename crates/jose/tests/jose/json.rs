use countersign_jose::json::{self, DEPTH_MAX, JsonError, Number, Value};

#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: Result<(), JsonError>) {
    let text = text.as_ref();
    assert_eq!(
        json::object(text).map(|_| ()),
        expected,
        "{}",
        String::from_utf8_lossy(text)
    );
    assert_eq!(json::parse_object(text).map(|_| ()), expected);
}

#[test]
fn only_an_object_that_every_reader_understands_alike() {
    use JsonError::{DuplicateMember, Malformed, NotAnObject, Nul};
    check("{}", Ok(()));
    check(" {\"a\" : [1, -2, 3.5, true, null, \"x\", {}]}\n", Ok(()));
    check(r#"{"a":1,"A":2}"#, Ok(()));
    check(r#"{"a":{"b":1},"b":{"b":1}}"#, Ok(()));
    // Duplicates: plain, escaped, in depth, apart, in a list.
    check(r#"{"a":1,"a":1}"#, Err(DuplicateMember));
    check(r#"{"alg":1,"\u0061lg":2}"#, Err(DuplicateMember));
    check(r#"{"\u0061lg":1,"al\u0067":2}"#, Err(DuplicateMember));
    check(r#"{"x":{"a":1,"b":2,"a":3}}"#, Err(DuplicateMember));
    check(r#"{"x":[{},{"y":{"":1,"":2}}]}"#, Err(DuplicateMember));
    // What is not an object.
    check("[]", Err(NotAnObject));
    check("\"{}\"", Err(NotAnObject));
    check("null", Err(NotAnObject));
    check("1", Err(NotAnObject));
    // Encoding.
    check("\u{feff}{}", Err(Malformed));
    check(b"{\"a\":\"\xff\"}", Err(Malformed));
    check(b"{\"\xc3\x28\":1}", Err(Malformed));
    check(b"{\"a\":\"\xed\xa0\x80\"}", Err(Malformed));
    check(r#"{"a":"\ud800"}"#, Err(Malformed));
    check(r#"{"a":"\udc00\ud800"}"#, Err(Malformed));
    // NUL, raw and escaped, outside and inside.
    check("{}\0", Err(Malformed));
    check("\0{}", Err(Malformed));
    check("{\"a\":\"\0\"}", Err(Malformed));
    check(r#"{"a":"\u0000"}"#, Err(Nul));
    check(r#"{"a\u0000":1}"#, Err(Nul));
    // Anything after the value, or missing.
    check("{}{}", Err(Malformed));
    check("{} x", Err(Malformed));
    check("{\"a\":1,}", Err(Malformed));
    check("{\"a\"}", Err(Malformed));
    check("{a:1}", Err(Malformed));
    check("{'a':1}", Err(Malformed));
    check("{\"a\":1 // no\n}", Err(Malformed));
    check("", Err(Malformed));
    check("{", Err(Malformed));
    // Numbers.
    check(r#"{"a":01}"#, Err(Malformed));
    check(r#"{"a":NaN}"#, Err(Malformed));
    check(r#"{"a":1e400}"#, Err(Malformed));
    check(r#"{"a":+1}"#, Err(Malformed));
    check(r#"{"a":1e308}"#, Ok(()));
}

#[test]
fn many_members_are_compared_too() {
    let members = |last: &str| {
        let mut names: Vec<String> = (0..500).map(|n| format!("\"m{n}\":0")).collect();
        names.push(format!("\"{last}\":0"));
        format!("{{{}}}", names.join(","))
    };
    check(members("m500"), Ok(()));
    check(members("m250"), Err(JsonError::DuplicateMember));
}

#[test]
fn depth_is_limited_and_never_overflows_the_stack() {
    let lists = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    check(lists(DEPTH_MAX - 1), Ok(()));
    check(lists(DEPTH_MAX), Err(JsonError::TooDeep));
    check(objects(DEPTH_MAX - 1), Ok(()));
    check(objects(DEPTH_MAX), Err(JsonError::TooDeep));
    check(lists(10_000), Err(JsonError::TooDeep));
    check(objects(10_000), Err(JsonError::TooDeep));
    check("[".repeat(10_000), Err(JsonError::TooDeep));
    check("{\"a\":".repeat(10_000), Err(JsonError::TooDeep));
}

#[test]
fn values_keep_what_was_written() {
    let object =
        json::object(br#"{"n":18446744073709551615,"m":-1,"f":1.5,"t":"\u00e9","s":"x"}"#).unwrap();
    assert_eq!(
        object.member("n"),
        Some(&Value::Number(Number::Whole(u64::MAX)))
    );
    assert_eq!(
        object.member("m"),
        Some(&Value::Number(Number::Negative(-1)))
    );
    assert_eq!(object.member("f"), Some(&Value::Number(Number::Float(1.5))));
    assert_eq!(object.member("t").and_then(Value::text), Some("é"));
    assert_eq!(object.member("s").and_then(Value::text), Some("x"));
    assert_eq!(object.member("absent"), None);
    let names: Vec<&str> = object.members().map(|(name, _)| name).collect();
    assert_eq!(names, ["n", "m", "f", "t", "s"]);
}

#[test]
fn a_callers_type_is_read_strictly() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct Claims {
        iss: String,
        exp: u64,
    }
    let read = |text: &str| json::from_slice::<Claims>(text.as_bytes());
    assert_eq!(
        read(r#"{"iss":"a","exp":7,"x":{}}"#),
        Ok(Claims {
            iss: "a".into(),
            exp: 7
        })
    );
    assert_eq!(read(r#"{"iss":"a"}"#), Err(JsonError::WrongShape));
    assert_eq!(
        read(r#"{"iss":"a","exp":"never"}"#),
        Err(JsonError::WrongShape)
    );
    assert_eq!(
        read(r#"{"iss":"a","exp":7,"x":1,"x":1}"#),
        Err(JsonError::DuplicateMember)
    );
}
