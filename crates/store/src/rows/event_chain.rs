//! The one row of `event_chain`.

use sea_orm::entity::prelude::*;

use crate::{ChainEnd, EventChain, Result, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_chain")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub number: i64,
    pub hash: Option<Vec<u8>>,
    pub seal: Option<Vec<u8>>,
    pub pruned_number: i64,
    pub pruned_hash: Option<Vec<u8>>,
    pub pruned_seal: Option<Vec<u8>>,
    pub sequencer: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for EventChain {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            newest: end(row.number, row.hash, row.seal)?,
            pruned: end(row.pruned_number, row.pruned_hash, row.pruned_seal)?,
            sequencer: row.sequencer,
        })
    }
}

fn end(number: i64, hash: Option<Vec<u8>>, seal: Option<Vec<u8>>) -> Result<ChainEnd> {
    let exactly = |bytes: Vec<u8>| -> Result<[u8; 32]> {
        bytes.try_into().map_err(|_| StoreError::Corrupt("the row of `event_chain`".into()))
    };
    Ok(ChainEnd { number, hash: hash.map_or(Ok([0; 32]), exactly)?, seal: seal.map(exactly).transpose()? })
}
