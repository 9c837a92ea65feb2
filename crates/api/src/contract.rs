//! What the contract says of itself, read from its descriptors, for tests that hold the code against it.

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::v1::DESCRIPTORS;

/// The field number of `enum_type` in a file, and of `value` in an enum: how source locations address values.
const ENUM_TYPE: i32 = 5;
const VALUE: i32 = 2;

/// The names of an enum's values with their comments.
pub(crate) fn enum_comments(file: &str, name: &str) -> Vec<(String, String)> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let file = files.into_iter().find(|it| it.name().ends_with(file)).unwrap();
    let (index, found) = (0..).zip(&file.enum_type).find(|(_, it)| it.name() == name).unwrap();
    let values = (0..).zip(&found.value);
    values
        .map(|(value, it)| (it.name().to_owned(), comment(&file, &[ENUM_TYPE, index, VALUE, value])))
        .collect()
}

fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = &file.source_code_info.as_ref().unwrap().location;
    let location = locations.iter().find(|location| location.path == path).unwrap();
    location.leading_comments().trim().to_owned()
}

/// The keys after "Metadata:" in a comment.
pub(crate) fn metadata_keys(comment: &str) -> Vec<&str> {
    let keys = comment.split_once("Metadata: ").map_or("", |(_, keys)| keys.trim_end_matches('.'));
    keys.split(", ").filter(|key| !key.is_empty()).collect()
}
