//! What reference tokens say.

use bytes::Bytes;
use countersign_issuer::model::{
    Acr, ClientId, Details, Epoch, FamilyId, RecordId, ResourceUri, Scopes, Subject, TokenId,
};
use countersign_issuer::{Claims, Reference};
use countersign_jose::UnixTime;

use super::resource::scope_texts;
use super::{
    Damaged, bytes_of, certificate_thumbprint, message_of, millis, read, stored, thumbprint, time,
};

/// Its key says which token it is.
pub(crate) fn reference(reference: &Reference) -> Bytes {
    let Claims {
        subject,
        audience,
        client,
        scopes,
        jkt,
        certificate,
        issued_at,
        expires_at,
        id: _,
        family,
        auth_time,
        acr,
        details,
    } = &reference.claims;
    bytes_of(&stored::ReferenceTokenRecord {
        client_id: client.as_str().to_owned(),
        subject: subject.as_str().to_owned(),
        audience: audience.iter().map(|uri| uri.as_str().to_owned()).collect(),
        scopes: scope_texts(scopes),
        jkt: Bytes::copy_from_slice(jkt.as_bytes()),
        issued_millis: issued_at.as_millis(),
        expires_millis: expires_at.as_millis(),
        family_id: family.map_or_else(Bytes::new, |family| {
            Bytes::copy_from_slice(family.record().as_bytes())
        }),
        auth_millis: millis(*auth_time),
        acr: acr
            .as_ref()
            .map_or_else(String::new, |acr| acr.as_str().to_owned()),
        epoch: reference.epoch.number(),
        authorization_details: details.to_json(),
        certificate_sha256: certificate.map_or_else(Bytes::new, |certificate| {
            Bytes::copy_from_slice(certificate.as_bytes())
        }),
    })
}

/// What the record of that token says.
pub(crate) fn read_reference(id: TokenId, bytes: &[u8]) -> Result<Reference, Damaged> {
    let record: stored::ReferenceTokenRecord = message_of(bytes)?;
    let audience: Vec<_> = record
        .audience
        .iter()
        .map(|uri| read(ResourceUri::parse(uri)))
        .collect::<Result<_, _>>()?;
    // A token is for somebody.
    if audience.is_empty() {
        return Err(Damaged);
    }
    Ok(Reference {
        claims: Claims {
            subject: read(Subject::parse(&record.subject))?,
            audience,
            client: read(ClientId::parse(&record.client_id))?,
            scopes: read(Scopes::parse(&record.scopes))?,
            jkt: thumbprint(&record.jkt)?,
            certificate: match &*record.certificate_sha256 {
                [] => None,
                bytes => Some(certificate_thumbprint(bytes)?),
            },
            issued_at: UnixTime::from_millis(record.issued_millis),
            expires_at: UnixTime::from_millis(record.expires_millis),
            id,
            family: family(&record.family_id)?,
            auth_time: time(record.auth_millis),
            acr: read(Acr::parse(&record.acr))?,
            details: read(Details::parse(&record.authorization_details))?,
        },
        epoch: Epoch::new(record.epoch),
    })
}

fn family(bytes: &[u8]) -> Result<Option<FamilyId>, Damaged> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes = bytes.try_into().map_err(|_| Damaged)?;
    Ok(Some(FamilyId::new(RecordId::from_bytes(bytes))))
}
