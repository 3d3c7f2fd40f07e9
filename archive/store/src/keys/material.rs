//! The key metadata in every data file: Parquet's key-tools JSON (`PKMT1`, internal storage, single
//! wrapping), with age as the key management service. The wrapped data key is the base64 of an age file.

use super::master_key::MasterKeyId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// The metadata of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The master key that wraps the data key.
    pub master: MasterKeyId,
    /// An age file that holds the 32 bytes of the data key.
    pub wrapped: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Pkmt1<'a> {
    #[serde(rename = "keyMaterialType")]
    material_type: &'a str,
    #[serde(rename = "internalStorage")]
    internal_storage: bool,
    #[serde(rename = "isFooterKey")]
    is_footer_key: bool,
    #[serde(rename = "kmsInstanceID", skip_serializing_if = "Option::is_none", default)]
    kms_instance_id: Option<&'a str>,
    #[serde(rename = "kmsInstanceURL", skip_serializing_if = "Option::is_none", default)]
    kms_instance_url: Option<&'a str>,
    #[serde(rename = "masterKeyID")]
    master_key_id: &'a str,
    #[serde(rename = "doubleWrapping")]
    double_wrapping: bool,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: &'a str,
}

impl KeyMaterial {
    /// The JSON in the file.
    pub fn to_json(&self, footer: bool) -> Vec<u8> {
        let material = Pkmt1 {
            material_type: "PKMT1",
            internal_storage: true,
            is_footer_key: footer,
            kms_instance_id: footer.then_some("age"),
            kms_instance_url: footer.then_some("DEFAULT"),
            master_key_id: &self.master.to_string(),
            double_wrapping: false,
            wrapped_dek: &BASE64.encode(&self.wrapped),
        };
        serde_json::to_vec(&material).expect("texts and booleans are always JSON")
    }

    /// Reads the JSON of a file. The error describes what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let material: Pkmt1<'_> = serde_json::from_slice(json).map_err(|_| "the key metadata is not PKMT1 JSON")?;
        if material.material_type != "PKMT1" || !material.internal_storage || material.double_wrapping {
            return Err("the key metadata is not PKMT1 with internal storage and single wrapping");
        }
        Ok(Self {
            master: MasterKeyId::parse(material.master_key_id)
                .ok_or("the key metadata names no master key of Holdfast")?,
            wrapped: BASE64.decode(material.wrapped_dek).map_err(|_| "the wrapped data key is not base64")?,
        })
    }
}
