//! Authorization details that were asked for, approved or granted.

use countersign_issuer::model::{Detail, GrantedDetail, GrantedDetails, ResourceUri};

use super::{Damaged, read, stored};

pub(super) fn detail_records(details: &GrantedDetails) -> Vec<stored::DetailRecord> {
    details
        .iter()
        .map(|granted| stored::DetailRecord {
            object: granted.detail.to_json(),
            resources: granted
                .at
                .iter()
                .map(|uri| uri.as_str().to_owned())
                .collect(),
        })
        .collect()
}

/// Records of the first releases have none.
pub(super) fn details(records: &[stored::DetailRecord]) -> Result<GrantedDetails, Damaged> {
    records
        .iter()
        .map(|record| {
            Ok(GrantedDetail {
                detail: read(Detail::parse(&record.object))?,
                at: record
                    .resources
                    .iter()
                    .map(|uri| read(ResourceUri::parse(uri)))
                    .collect::<Result<_, _>>()?,
            })
        })
        .collect()
}
