//! The JSON Schema and the reader agree. The reader may refuse more: what only several keys can say together.

use loadwise::config::{Kind, PoolConfig, Value, schema};

use super::Random;

/// What the schema leaves to the reader, by the words of its messages.
const TOGETHER: [&str; 19] = [
    "must have at most 4 bytes",
    "must be octal digits",
    "must be at least",
    "must be min =",
    "must be at most limit",
    "add up to",
    "is there twice",
    "is in the chain twice",
    "no node has",
    "the same labels",
    "needs at least one label",
    "has no quota of the dimension",
    "must be a prime",
    "cannot be set with compat",
    "is more than limits.",
    "there are more labels than limits.",
    "there are more nodes than limits.",
    "the labels have more bytes than limits.",
    "times limits.max_nodes",
];

/// The parts of JSON Schema that ours uses, to judge documents and to make them.
pub struct Schema(Value);

impl Schema {
    pub fn read() -> Self {
        Self(Value::parse(&schema::json_schema()).unwrap())
    }

    pub fn definition(&self, name: &str) -> &Value {
        self.0.get("definitions").unwrap().get(name).unwrap()
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref") {
            Some(path) => self.definition(text(path).strip_prefix("#/definitions/").unwrap()),
            None => schema,
        }
    }

    /// Whether the whole schema holds for a document.
    fn accepts(&self, document: &Value) -> bool {
        let condition = if self.holds(self.0.get("if").unwrap(), document) { "then" } else { "else" };
        self.holds(self.0.get(condition).unwrap(), document)
    }

    fn holds(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.resolve(schema);
        entries(schema).iter().all(|(key, rule)| match key.name.as_str() {
            "type" => match &rule.kind {
                Kind::List(types) => types.iter().any(|t| is_of(text(t), value)),
                _ => is_of(text(rule), value),
            },
            "enum" => items(rule).iter().any(|one| one.kind == value.kind),
            "anyOf" => items(rule).iter().any(|form| self.holds(form, value)),
            "minimum" => number(value).is_none_or(|n| n >= number(rule).unwrap()),
            "maximum" => number(value).is_none_or(|n| n <= number(rule).unwrap()),
            "minLength" => !is_of("string", value) || text(value).chars().count() >= size(rule),
            "maxLength" => !is_of("string", value) || text(value).chars().count() <= size(rule),
            "pattern" => !is_of("string", value) || matches_pattern(text(rule), text(value)),
            "minItems" => !is_of("array", value) || items(value).len() >= size(rule),
            "maxItems" => !is_of("array", value) || items(value).len() <= size(rule),
            "items" => !is_of("array", value) || items(value).iter().all(|item| self.holds(rule, item)),
            "required" => !is_of("object", value) || items(rule).iter().all(|name| value.get(text(name)).is_some()),
            "maxProperties" => !is_of("object", value) || entries(value).len() <= size(rule),
            "propertyNames" => {
                let names = || entries(value).iter().map(|(key, _)| Value::from(key.name.as_str()));
                !is_of("object", value) || names().all(|name| self.holds(rule, &name))
            }
            "properties" => {
                let known = |(key, value): &(_, Value)| match rule.get(&name_of(key)) {
                    Some(property) => self.holds(property, value),
                    None => true,
                };
                !is_of("object", value) || entries(value).iter().all(known)
            }
            "additionalProperties" => {
                let properties = schema.get("properties");
                let others = |key: &_| properties.is_none_or(|known| known.get(&name_of(key)).is_none());
                let allowed = |value: &Value| rule.kind != Kind::Bool(false) && self.holds(rule, value);
                !is_of("object", value) || entries(value).iter().all(|(key, v)| !others(key) || allowed(v))
            }
            "description" | "default" | "title" => true,
            other => panic!("the schema says {other}, which this does not know"),
        })
    }

    /// Some value that the schema allows, most keys left out and many at their defaults.
    pub fn make(&self, schema: &Value, random: &mut Random) -> Value {
        let schema = self.resolve(schema);
        if let Some(forms) = schema.get("anyOf") {
            let forms = items(forms);
            return self.make(&forms[random.below(forms.len())], random);
        }
        if let Some(words) = schema.get("enum") {
            let words = items(words);
            return words[random.below(words.len())].clone();
        }
        if let Some(default) = schema.get("default").filter(|_| random.below(2) == 0) {
            return default.clone();
        }
        let kind = schema.get("type").unwrap();
        let kind = match &kind.kind {
            Kind::List(kinds) => text(&kinds[random.below(kinds.len())]),
            _ => text(kind),
        };
        let bound = |name, or| schema.get(name).map_or(or, size);
        match kind {
            "integer" => {
                let (least, most) = (whole(schema.get("minimum").unwrap()), whole(schema.get("maximum").unwrap()));
                let any = least + i128::from(random.next()) % (most - least + 1);
                Value::new(Kind::Int(random.of(&[least, (least + 1).min(most), (least + 99).min(most), any, most])))
            }
            "number" => {
                let least = schema.get("minimum").map_or(0.0, |v| number(v).unwrap());
                let most = schema.get("maximum").map_or(1e9, |v| number(v).unwrap());
                let any = least + (most - least) * (random.next() as f64 / u64::MAX as f64);
                Value::from(random.of(&[least, any, any / 7.0 + least * 6.0 / 7.0, most]))
            }
            "boolean" => Value::from(random.below(2) == 0),
            "string" => {
                let length = (bound("minLength", 0) + random.below(3)).min(bound("maxLength", usize::MAX));
                Value::from(
                    (0..length).map(|_| random.of(&['a', 'b', '1', 'é', '"', ' ', '\\', ':'])).collect::<String>(),
                )
            }
            "array" => {
                let length = (bound("minItems", 0) + random.below(4)).min(bound("maxItems", usize::MAX));
                Value::list((0..length).map(|_| self.make(schema.get("items").unwrap(), random)))
            }
            "object" => self.make_object(schema, random),
            other => panic!("the schema has the type {other}, which this does not know"),
        }
    }

    fn make_object(&self, schema: &Value, random: &mut Random) -> Value {
        let Some(properties) = schema.get("properties") else {
            // A map of the user's own names: few, so that labels and dimensions meet.
            let names = ["v", "w", "rpm"].into_iter().take(random.below(4));
            let value = schema.get("additionalProperties").unwrap();
            return Value::map(names.map(|name| (name, self.make(value, random))).collect::<Vec<_>>());
        };
        let required = schema.get("required").map_or(&[] as &[Value], items);
        let mut made = Vec::new();
        for (key, property) in entries(properties) {
            if required.iter().any(|name| text(name) == key.name) || random.below(4) == 0 {
                made.push((key.name.clone(), self.make(property, random)));
            }
        }
        Value::map(made)
    }
}

fn name_of(key: &loadwise::config::Key) -> String {
    key.name.clone()
}

fn is_of(kind: &str, value: &Value) -> bool {
    match (kind, &value.kind) {
        ("integer", Kind::Float(float)) => float.fract() == 0.0,
        ("integer" | "number", Kind::Int(_)) | ("number", Kind::Float(_)) => true,
        ("string", Kind::Text(_)) | ("boolean", Kind::Bool(_)) => true,
        ("array", Kind::List(_)) | ("object", Kind::Map(_)) => true,
        _ => false,
    }
}

fn text(value: &Value) -> &str {
    let Kind::Text(text) = &value.kind else { panic!("{value}") };
    text
}

fn items(value: &Value) -> &[Value] {
    let Kind::List(items) = &value.kind else { panic!("{value}") };
    items
}

pub fn entries(value: &Value) -> &[(loadwise::config::Key, Value)] {
    let Kind::Map(entries) = &value.kind else { panic!("{value}") };
    entries
}

fn whole(value: &Value) -> i128 {
    let Kind::Int(int) = value.kind else { panic!("{value}") };
    int
}

fn size(value: &Value) -> usize {
    whole(value) as usize
}

fn number(value: &Value) -> Option<f64> {
    match value.kind {
        Kind::Int(int) => Some(int as f64),
        Kind::Float(float) => Some(float),
        _ => None,
    }
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    match pattern {
        r"^[^\u0000-\u001f\u007f-\u009f]*$" => !text.chars().any(char::is_control),
        "^[A-Za-z0-9_.-]{1,63}$" => {
            (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        }
        other => panic!("the schema has the pattern {other}, which this does not know"),
    }
}

/// Puts something else in one place of a document.
fn spoil(value: &mut Value, random: &mut Random) {
    match &mut value.kind {
        Kind::List(items) if !items.is_empty() && random.below(8) != 0 => {
            let at = random.below(items.len());
            spoil(&mut items[at], random);
        }
        Kind::Map(entries) if !entries.is_empty() && random.below(8) != 0 => {
            let at = random.below(entries.len());
            if random.below(8) == 0 {
                entries[at].0.name.push('x');
            } else {
                spoil(&mut entries[at].1, random);
            }
        }
        Kind::Int(int) if random.below(2) == 0 => *int = random.of(&[*int + 1, *int - 1, -*int, *int * 1000, 0]),
        Kind::Float(float) if random.below(2) == 0 => *float = random.of(&[*float * 2.0, -*float, 1.5, 0.0]),
        _ => {
            value.kind = match random.below(6) {
                0 => Kind::Bool(true),
                1 => Kind::Int(1),
                2 => Kind::Float(0.5),
                3 => Kind::Text("p2c".into()),
                4 => Kind::List(vec![Value::from(1)]),
                _ => Kind::Map(Vec::new()),
            }
        }
    }
}

#[test]
fn what_the_schema_allows_is_read_unless_keys_disagree() {
    let schema = Schema::read();
    let mut random = Random(2);
    let (mut valid, mut together) = (0, 0);
    for _ in 0..6_000 {
        let document = schema.make(schema.definition("pool"), &mut random);
        assert!(schema.accepts(&document), "{}", document.to_json());
        match PoolConfig::from_value(&document) {
            Ok(_) => valid += 1,
            Err(e) => {
                let message = e.to_string();
                assert!(TOGETHER.iter().any(|known| message.contains(known)), "{message}\n{}", document.to_json());
                together += 1;
            }
        }
    }
    assert!(valid > 500 && together > 500, "{valid} valid, {together} not");
}

#[test]
fn what_is_read_is_allowed_by_the_schema() {
    let schema = Schema::read();
    let mut random = Random(3);
    let (mut valid, mut refused) = (0, 0);
    for _ in 0..12_000 {
        let mut document = schema.make(schema.definition("pool"), &mut random);
        spoil(&mut document, &mut random);
        let allowed = schema.accepts(&document);
        match PoolConfig::from_value(&document) {
            Ok(_) => {
                assert!(allowed, "{}", document.to_json());
                valid += 1;
            }
            Err(_) if !allowed => refused += 1,
            Err(_) => {}
        }
    }
    assert!(valid > 500 && refused > 500, "{valid} valid, {refused} refused by both");
}

#[test]
fn the_schema_knows_engines() {
    let schema = Schema::read();
    let accepts = |text: &str| schema.accepts(&Value::parse(text).unwrap());
    assert!(accepts("pools: {a: {nodes: [x]}, b.c-d_1: {}}") && accepts("nodes: [x]") && accepts("{}"));
    for text in ["pools: {a: {node: [x]}}", "pools: {a b: {}}", "pools: []", "{pools: {}, seed: 1}", "[]"] {
        assert!(!accepts(text), "{text}");
    }
}
