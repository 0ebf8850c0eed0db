//! The nodes of a configuration, and what makes a set of nodes possible.

use std::collections::{BTreeMap, HashMap};

use super::capacity::QuotaLimit;
use super::pool::PoolConfig;
use super::schema::{self, Form, Key, Place, Row, Shape, describe, int, read_map};
use super::value::{Kind, Quoted, Value};
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::node::NodeSpec;
use crate::vocabulary::text::TEXT_BYTES_MAX;

/// The most that the weights of a pool's nodes may add up to.
pub const WEIGHT_SUM_MAX: u64 = u32::MAX as u64;

pub(super) const NODE: &[Key<NodeSpec>] = &[
    Key {
        name: "id",
        unit: "",
        doc: "Unique in the pool. What the engine knows of a node belongs to its id, so keep it over restarts and moves.",
        shape: Shape::Text { min: 1, max: TEXT_BYTES_MAX, get: |n| &n.id, set: |n, text| n.id = text },
    },
    Key {
        name: "address",
        unit: "",
        doc: "What the host connects to. The id, if it is left out.",
        shape: Shape::Text { min: 0, max: TEXT_BYTES_MAX, get: |n| &n.address, set: |n, text| n.address = text },
    },
    Key {
        name: "name",
        unit: "",
        doc: "For people: in logs and statistics.",
        shape: Shape::Text { min: 0, max: TEXT_BYTES_MAX, get: |n| &n.name, set: |n, text| n.name = text },
    },
    int!(
        weight: u32, 0, u32::MAX, "",
        "Twice the weight takes twice the traffic; 0 takes no new picks. Set it by what a node can bear beside the others. \
         All weights together are at most 4294967295."
    ),
    Key {
        name: "labels",
        unit: "",
        doc: "Texts by name, for requests that require them and for `splits`. Numbers and bools are taken as they are written. \
              How many and how long: `limits.max_labels`, `limits.max_label_bytes`.",
        shape: Shape::Own(&LabelsForm { get: |n: &NodeSpec| &n.labels, get_mut: |n| &mut n.labels }),
    },
    int!(
        tier: u8, 0, NodeSpec::TIER_MAX, "",
        "0 = primary, above = backups, which take what the tiers before cannot: see `tiers`. Tiers may be left out between."
    ),
    Key {
        name: "zone",
        unit: "",
        doc: "Where the node is, for `zones`: any name, as `eu-central-1a`.",
        shape: Shape::Text { min: 0, max: NodeSpec::ZONE_BYTES_MAX, get: |n| &n.zone, set: |n, text| n.zone = text },
    },
    int!(
        max_in_flight: u32, 0, u32::MAX, "picks",
        "Picks in flight at one time; 0 = unlimited. Smaller: the node queues less, and others take more, or picks are refused."
    ),
    Key {
        name: "quotas",
        unit: "units",
        doc: "The node's own limits, by dimensions of the pool's `quotas`; for other dimensions the pool's hold. \
              Each at least the quota's `default_cost`.",
        shape: Shape::Own(&NodeQuotasForm),
    },
    int!(user_data: u64, 0, u64::MAX, "", "The host's own number, returned with each pick."),
];

/// A set of nodes that is put together one by one, each checked against those before it.
struct Members {
    lines: HashMap<String, usize>,
    weight_sum: u64,
}

impl Members {
    /// `line` gives that of a key of the node.
    fn add(&mut self, node: &NodeSpec, place: &Place, line: impl Fn(&str) -> usize) -> Result<(), ConfigError> {
        let max = place.limits.max_nodes;
        if self.lines.len() as u64 >= u64::from(max) {
            return Err(place.limit(line(""), format!("there are more nodes than limits.max_nodes = {max}")));
        }
        if let Some(earlier) = self.lines.insert(node.id.clone(), line("id")) {
            let message = schema::repeated(&format!("the node {}", Quoted(&node.id)), earlier);
            return Err(place.key("id").error(line("id"), message));
        }
        self.weight_sum += u64::from(node.weight);
        if self.weight_sum > WEIGHT_SUM_MAX {
            let message = format!("the weights up to here add up to more than {WEIGHT_SUM_MAX}");
            return Err(place.key("weight").limit(line("weight"), message));
        }
        Ok(())
    }
}

/// Reads the list of nodes, with the line of each.
fn read_nodes(value: &Value, place: &Place) -> Result<(Vec<NodeSpec>, Vec<usize>), ConfigError> {
    let Kind::List(items) = &value.kind else {
        return Err(place.not("a list of nodes", value));
    };
    let mut members = Members { lines: HashMap::new(), weight_sum: 0 };
    let mut nodes = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let place = place.index(i);
        let node = read_node(item, &place)?;
        members.add(&node, &place, |key| item.get(key).map_or(item.line, |v| v.line))?;
        nodes.push(node);
    }
    // What was no text has no lines.
    let lines = items.iter().map(|item| item.line);
    Ok((nodes, if lines.clone().all(|line| line == 0) { Vec::new() } else { lines.collect() }))
}

/// Reads native data as nodes: the value of a pool's key `nodes`, for calls that take nodes alone.
///
/// ```
/// use loadwise::Limits;
/// use loadwise::config::{Value, parse_nodes};
///
/// let nodes = parse_nodes(&Value::parse("[a, {id: b, weight: 5}]")?, &Limits::default())?;
/// assert_eq!((nodes[0].id.as_str(), nodes[1].weight), ("a", 5));
/// # Ok::<(), loadwise::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`], naming key and line.
pub fn parse_nodes(value: &Value, limits: &Limits) -> Result<Vec<NodeSpec>, Error> {
    Ok(read_nodes(value, &Place::root("nodes", limits))?.0)
}

/// Reads one node: its id, or a map.
fn read_node(value: &Value, place: &Place) -> Result<NodeSpec, ConfigError> {
    match &value.kind {
        Kind::Text(id) => {
            place.text(id, 1, TEXT_BYTES_MAX, value.line)?;
            Ok(NodeSpec::new(id.as_str()))
        }
        Kind::Map(_) => {
            let mut node = NodeSpec::new("");
            read_map(&mut node, NODE, value, place)?;
            if value.get("id").is_none() {
                return Err(place.error(value.line, "needs the key id"));
            }
            if value.get("address").is_none() {
                node.address.clone_from(&node.id);
            }
            Ok(node)
        }
        Kind::Int(_) | Kind::Float(_) => Err(place
            .error(value.line, format!("must be a node, an address or a map, not {value}; put an address in quotes"))),
        _ => Err(place.not("a node: an address or a map", value)),
    }
}

/// A map of texts by name, as labels are.
pub(super) struct LabelsForm<T: 'static> {
    pub get: fn(&T) -> &BTreeMap<String, String>,
    pub get_mut: fn(&mut T) -> &mut BTreeMap<String, String>,
}

impl<T> Form<T> for LabelsForm<T> {
    fn read(&self, target: &mut T, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let labels = (self.get_mut)(target);
        let entries = place.map(value)?;
        let mut bytes = 0;
        for (i, (key, value)) in entries.iter().enumerate() {
            let text = value.scalar_text().ok_or_else(|| place.key(&key.name).not("a text", value))?;
            bytes += key.name.len() + text.len();
            check_labels(i + 1, bytes, place, key.line)?;
            check_label(&key.name, &text, place, key.line)?;
            if labels.contains_key(&key.name) {
                place.once(entries.get(..i).unwrap_or_default(), key)?;
            }
            labels.insert(key.name.clone(), text);
        }
        Ok(())
    }

    fn check(&self, target: &T, place: &Place, line: usize) -> Result<(), ConfigError> {
        let labels = (self.get)(target);
        let bytes = labels.iter().map(|(name, text)| name.len() + text.len()).sum();
        check_labels(labels.len(), bytes, place, line)?;
        labels.iter().try_for_each(|(name, text)| check_label(name, text, place, line))
    }

    fn value(&self, target: &T) -> Option<Value> {
        Some(Value::map((self.get)(target).iter().map(|(name, text)| (name, Value::from(text.as_str())))))
    }

    fn row(&self) -> Row {
        Row { kind: "map of texts", default: "none", range: "" }
    }

    fn json(&self) -> Value {
        let types = ["string", "number", "boolean"].map(Value::from);
        Value::map([
            ("type", Value::from("object")),
            ("maxProperties", Value::from(Limits::LABELS_MAX)),
            ("propertyNames", Value::map([("minLength", Value::from(1))])),
            ("additionalProperties", Value::map([("type", Value::list(types))])),
        ])
    }
}

/// The key `quotas` of a node.
struct NodeQuotasForm;

impl NodeQuotasForm {
    fn count(count: usize, place: &Place, line: usize) -> Result<(), ConfigError> {
        let max = QuotaLimit::COUNT_MAX;
        match count <= max {
            true => Ok(()),
            false => Err(place.limit(line, format!("there are more than {max} dimensions"))),
        }
    }
}

impl Form<NodeSpec> for NodeQuotasForm {
    fn read(&self, node: &mut NodeSpec, value: &Value, place: &Place) -> Result<(), ConfigError> {
        let entries = place.map(value)?;
        for (i, (key, value)) in entries.iter().enumerate() {
            place.once(entries.get(..i).unwrap_or_default(), key)?;
            Self::count(i + 1, place, key.line)?;
            let place = place.key(&key.name);
            place.text(&key.name, 1, QuotaLimit::DIMENSION_BYTES_MAX, key.line)?;
            node.quotas.insert(key.name.clone(), place.int(value, 1, QuotaLimit::LIMIT_MAX)?);
        }
        Ok(())
    }

    fn check(&self, node: &NodeSpec, place: &Place, line: usize) -> Result<(), ConfigError> {
        Self::count(node.quotas.len(), place, line)?;
        node.quotas.iter().try_for_each(|(dimension, limit)| {
            let place = place.key(dimension);
            place.text(dimension, 1, QuotaLimit::DIMENSION_BYTES_MAX, line)?;
            match (1..=QuotaLimit::LIMIT_MAX).contains(limit) {
                true => Ok(()),
                false => Err(place.outside(line, &1, &QuotaLimit::LIMIT_MAX, limit)),
            }
        })
    }

    fn value(&self, node: &NodeSpec) -> Option<Value> {
        Some(Value::map(node.quotas.iter().map(|(dimension, limit)| (dimension, Value::from(*limit)))))
    }

    fn row(&self) -> Row {
        Row { kind: "map of integers", default: "none", range: "" }
    }

    fn json(&self) -> Value {
        let limit = Value::map([
            ("type", Value::from("integer")),
            ("minimum", Value::from(1)),
            ("maximum", Value::from(QuotaLimit::LIMIT_MAX)),
        ]);
        Value::map([
            ("type", Value::from("object")),
            ("maxProperties", Value::from(QuotaLimit::COUNT_MAX as u64)),
            ("additionalProperties", limit),
        ])
    }
}

/// The key `nodes` of a pool.
pub(super) struct NodesForm;

impl Form<PoolConfig> for NodesForm {
    fn read(&self, config: &mut PoolConfig, value: &Value, place: &Place) -> Result<(), ConfigError> {
        (config.nodes, config.node_lines) = read_nodes(value, place)?;
        Ok(())
    }

    fn check(&self, config: &PoolConfig, place: &Place, _: usize) -> Result<(), ConfigError> {
        check_nodes(&config.nodes, &config.node_lines, place)
    }

    fn value(&self, config: &PoolConfig) -> Option<Value> {
        Some(Value::list(
            config
                .nodes
                .iter()
                .enumerate()
                .map(|(i, node)| schema::entries(node, NODE).at(config.node_lines.get(i).copied().unwrap_or(0))),
        ))
    }

    fn row(&self) -> Row {
        Row { kind: "list of nodes", default: "none", range: "" }
    }

    fn section(&self, key: &str, doc: &str) -> Option<String> {
        Some(describe::section(key, doc, NODE, &NodeSpec::new(""), &["id"]))
    }

    fn json(&self) -> Value {
        Value::map([
            ("type", Value::from("array")),
            ("maxItems", Value::from(Limits::NODES_MAX)),
            ("items", Value::map([("$ref", Value::from("#/definitions/node"))])),
        ])
    }
}

fn check_labels(count: usize, bytes: usize, place: &Place, line: usize) -> Result<(), ConfigError> {
    let Limits { max_labels, max_label_bytes, .. } = *place.limits;
    if count as u64 > u64::from(max_labels) {
        return Err(place.limit(line, format!("there are more labels than limits.max_labels = {max_labels}")));
    }
    if bytes as u64 > u64::from(max_label_bytes) {
        let message = format!("the labels have more bytes than limits.max_label_bytes = {max_label_bytes}");
        return Err(place.limit(line, message));
    }
    Ok(())
}

fn check_label(name: &str, text: &str, place: &Place, line: usize) -> Result<(), ConfigError> {
    if name.is_empty() {
        return Err(place.error(line, "a label must have a name"));
    }
    // Their lengths are bounded by the sum of all labels.
    let place = place.key(name);
    place.text(name, 1, usize::MAX, line)?;
    place.text(text, 0, usize::MAX, line)
}

/// Checks one node that code has made. For the message, `key` is where it stands and `line` its line, 0 if none.
///
/// ```
/// use loadwise::{Limits, NodeSpec, config};
///
/// let error = config::validate_node(&NodeSpec::new(""), &Limits::default(), "node", 0).unwrap_err();
/// assert_eq!(error.to_string(), "node.id: must not be empty");
/// ```
pub fn validate_node(node: &NodeSpec, limits: &Limits, key: &str, line: usize) -> Result<(), ConfigError> {
    let place = Place::root(key, limits);
    schema::check(node, NODE, &place, line)
}

/// Checks a whole set of nodes: each by itself, then ids, weights and number together. `lines` may be empty.
pub fn validate_nodes(nodes: &[NodeSpec], lines: &[usize], limits: &Limits) -> Result<(), ConfigError> {
    check_nodes(nodes, lines, &Place::root("nodes", limits))
}

fn check_nodes(nodes: &[NodeSpec], lines: &[usize], root: &Place) -> Result<(), ConfigError> {
    let mut members = Members { lines: HashMap::with_capacity(nodes.len()), weight_sum: 0 };
    for (i, node) in nodes.iter().enumerate() {
        let place = root.index(i);
        let line = lines.get(i).copied().unwrap_or(0);
        schema::check(node, NODE, &place, line)?;
        members.add(node, &place, |_| line)?;
    }
    Ok(())
}
