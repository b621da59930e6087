//! What a CRM's page of a design asks for.

pub(crate) const SUMMARY: &str = "query($id: ID!) { designSummary(designId: $id) {
    designId projectId createdAt systemSizeStc(unit: KILOWATT) systemSizePtc systemSizeAc moduleCount fetchedAt stale
    billOfMaterials { componentType componentTypeText sku name manufacturerName quantity }
    arrays { size azimuth pitch configuration face groundMounted module { name ratingStc count orientation }
        shading { solarAccess { annual monthly } totalSolarResourceFraction } }
    stringInverters { name ratedPower } batteries { name hasIntegratedInverter }
    energyProduction { upToDate annual annualOffset monthly } } }";
