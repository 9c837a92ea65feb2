//! The contract's descriptors, as the tests read them.

use std::collections::HashMap;

use keyward_api::v1::DESCRIPTORS;
use prost::Message as _;
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Messages by full name (`.keyward.v1.Telemetry`), and methods with the names of what they take.
pub(crate) struct Contract {
    messages: HashMap<String, DescriptorProto>,
    methods: Vec<(String, String)>,
}

impl Contract {
    pub(crate) fn load() -> Self {
        let mut contract = Self { messages: HashMap::new(), methods: Vec::new() };
        for file in FileDescriptorSet::decode(DESCRIPTORS).expect("a descriptor set").file {
            let package = file.package().to_owned();
            for method in file.service.iter().flat_map(|service| &service.method) {
                contract.methods.push((method.name().to_owned(), method.input_type().to_owned()));
            }
            for message in file.message_type {
                contract.messages.insert(format!(".{package}.{}", message.name()), message);
            }
        }
        contract
    }

    /// Every method with the message that it takes.
    pub(crate) fn methods(&self) -> &[(String, String)] {
        &self.methods
    }

    pub(crate) fn message(&self, name: &str) -> &DescriptorProto {
        &self.messages[name]
    }

    /// Whether a path such as `assessment.claims[1].kind` leads to a field. The empty path leads to the message.
    pub(crate) fn has_path(&self, message: &str, path: &str) -> bool {
        let mut message = message;
        path.is_empty()
            || path.split('.').all(|step| {
                let (name, index) =
                    step.split_once('[').map_or((step, None), |(name, index)| (name, Some(index)));
                let field = self
                    .messages
                    .get(message)
                    .and_then(|it| it.field.iter().find(|field| field.name() == name));
                message = field.map_or("", FieldDescriptorProto::type_name);
                let indexed = index
                    .is_none_or(|index| index.strip_suffix(']').is_some_and(|it| it.parse::<u32>().is_ok()));
                field.is_some_and(|field| index.is_none() || field.label() == Label::Repeated) && indexed
            })
    }

    /// Every message that can be reached from one, itself first.
    pub(crate) fn reachable(&self, message: &str) -> Vec<String> {
        let mut names = vec![message.to_owned()];
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            let fields = self.messages.get(&name).map_or(&[][..], |it| &it.field);
            for field in fields.iter().filter(|field| self.messages.contains_key(field.type_name())) {
                if !names.iter().any(|known| known == field.type_name()) {
                    names.push(field.type_name().to_owned());
                }
            }
            next += 1;
        }
        names
    }
}
