//! JavaScript data as a configuration.

use loadwise::ConfigError;
use loadwise::config::{self, Key, Kind};

use crate::error::Result;
use crate::js::{Js, Type, Value};

/// Values of one document. A sparse array of 2³² elements must not be tried.
const VALUES_MAX: usize = 1 << 22;

/// Turns a value into configuration data; `name` is for messages. Keys that are undefined are left out.
pub fn read<'c>(js: Js<'c>, value: Value<'c>, name: &str) -> Result<config::Value> {
    Reader { js, left: VALUES_MAX }.read(value, 0).map_err(|failure| failure.within(name))
}

/// Amounts by dimension: whole numbers of at least 0 as numbers or bigints. Dimensions that are undefined are left out.
pub fn amounts<'c>(js: Js<'c>, value: Value<'c>, name: &str) -> Result<Vec<(String, u64)>> {
    let wrong = |key: String| ConfigError::new(key, 0, "must be a whole number from 0 to 2^64 - 1");
    if js.type_of(value)? != Type::Object {
        return Err(js.not(value, name, "an object of amounts by dimension"));
    }
    let Kind::Map(entries) = read(js, value, name)?.kind else {
        return Err(js.not(value, name, "an object of amounts by dimension"));
    };
    let amount = |(dimension, amount): (Key, config::Value)| match amount.kind {
        Kind::Int(int) => match u64::try_from(int) {
            Ok(amount) => Ok((dimension.name, amount)),
            Err(_) => Err(wrong(format!("{name}.{}", dimension.name)).into()),
        },
        _ => Err(wrong(format!("{name}.{}", dimension.name)).into()),
    };
    entries.into_iter().map(amount).collect()
}

struct Reader<'c> {
    js: Js<'c>,
    left: usize,
}

impl<'c> Reader<'c> {
    fn read(&mut self, value: Value<'c>, depth: usize) -> Result<config::Value> {
        let js = self.js;
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| ConfigError::limit("", 0, format!("has more than {VALUES_MAX} values")))?;
        if depth > config::DEPTH_MAX {
            return Err(ConfigError::limit("", 0, format!("is nested more than {} deep", config::DEPTH_MAX)).into());
        }
        match js.type_of(value)? {
            Type::Undefined | Type::Null => Ok(config::Value::null()),
            Type::Boolean => Ok(config::Value::from(js.as_boolean(value).unwrap_or_default())),
            Type::Number => Ok(config::Value::number(js.as_number(value).unwrap_or(f64::NAN))),
            Type::BigInt => match js.bigint(value)? {
                Some(integer) => Ok(config::Value::new(Kind::Int(integer))),
                None => Err(ConfigError::new("", 0, "must be an integer of at most 64 bits").into()),
            },
            Type::String => Ok(config::Value::from(js.text(value, "")?)),
            Type::Object if js.is_array(value)? => self.list(value, depth),
            Type::Object if js.is_plain(value)? => self.map(value, depth),
            Type::Object => Err(ConfigError::new("", 0, "must be a plain object, not an instance of a class").into()),
            _ => Err(js.not(value, "", "data")),
        }
    }

    fn list(&mut self, array: Value<'c>, depth: usize) -> Result<config::Value> {
        let js = self.js;
        let mut items = Vec::new();
        for i in 0..js.length(array)? {
            let item = js.scoped(|| self.read(js.at(array, i)?, depth + 1));
            items.push(item.map_err(|failure| failure.within(&format!("[{i}]")))?);
        }
        Ok(config::Value::list(items))
    }

    fn map(&mut self, object: Value<'c>, depth: usize) -> Result<config::Value> {
        let js = self.js;
        let names = js.names(object)?;
        let mut entries = Vec::new();
        for i in 0..js.length(names)? {
            let entry = js.scoped(|| {
                let name = js.at(names, i)?;
                let value = js.get_by(object, name)?;
                let name = js.text(name, "")?;
                if js.type_of(value)? == Type::Undefined {
                    return Ok(None);
                }
                let value = self.read(value, depth + 1).map_err(|failure| failure.within(&name))?;
                Ok(Some((Key { name, line: 0 }, value)))
            });
            entries.extend(entry?);
        }
        Ok(config::Value::new(Kind::Map(entries)))
    }
}
