"""The fields of Autotask's Contacts and Companies, user-defined fields, and what the metadata calls say of them.

Names and types are documented (the vendor's current machine-readable models); lengths come from older metadata
of the same fields (seen live by third parties).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal


@dataclass(frozen=True)
class FieldInfo:
    """One built-in field. Types are integer, long, string, boolean, datetime and double."""

    name: str
    data_type: str
    length: int = 0
    required: bool = False
    read_only: bool = False
    queryable: bool = True


@dataclass(frozen=True)
class Entity:
    """One kind of record: its plural name in paths, its singular in error texts, its fields by lower-case name."""

    name: str
    singular: str
    fields: Mapping[str, FieldInfo]
    modified: str
    """The stamp that is used as a watermark; it moves with edits of the record itself."""
    activity: str = "lastActivityDate"


def _table(text: str) -> dict[str, FieldInfo]:
    fields = {}
    for line in text.strip().splitlines():
        name, data_type, *rest = line.split()
        length = next((int(word) for word in rest if word.isdigit()), 0)
        fields[name.lower()] = FieldInfo(
            name, data_type, length, "required" in rest, "ro" in rest, "noquery" not in rest
        )
    return fields


CONTACTS: Final = Entity(
    "Contacts",
    "Contact",
    _table(
        """
        id long ro
        companyID integer required ro
        isActive integer required
        firstName string 50 required
        lastName string 50 required
        middleInitial string 50
        namePrefix integer
        nameSuffix integer
        title string 50
        phone string 25
        extension string 10
        mobilePhone string 25
        alternatePhone string 32
        faxNumber string 25
        emailAddress string 254
        emailAddress2 string 254
        emailAddress3 string 254
        addressLine string 128
        addressLine1 string 128
        additionalAddressInformation string 100
        city string 32
        state string 40
        zipCode string 16
        countryID integer
        companyLocationID integer
        roomNumber string 50
        note string 50
        externalID string 50
        facebookUrl string 200
        linkedInUrl string 200
        twitterUrl string 200
        primaryContact boolean
        billingContact boolean
        receivesEmailNotifications boolean
        isOptedOutFromBulkEmail boolean noquery
        bulkEmailOptOutTime datetime ro
        solicitationOptOut boolean noquery
        solicitationOptOutTime datetime ro
        surveyOptOut boolean noquery
        apiVendorID integer ro
        impersonatorCreatorResourceID integer ro
        createDate datetime ro
        lastActivityDate datetime ro
        lastModifiedDate datetime ro
        """
    ),
    modified="lastModifiedDate",
)

COMPANIES: Final = Entity(
    "Companies",
    "Company",
    _table(
        """
        id long ro
        companyName string 100 required
        companyNumber string 50
        companyType integer required
        companyCategoryID integer
        classification integer
        isActive boolean
        ownerResourceID integer required
        parentCompanyID integer
        phone string 25 required
        alternatePhone1 string 25
        alternatePhone2 string 25
        fax string 25
        webAddress string 255
        address1 string 128
        address2 string 128
        additionalAddressInformation string 100
        city string 30
        state string 40
        postalCode string 10
        countryID integer
        assetValue double noquery
        competitorID integer
        currencyID integer
        isClientPortalActive boolean
        isTaskFireActive boolean
        isTaxExempt boolean
        isSample boolean ro
        marketSegmentID integer
        sicCode string 32
        stockMarket string 10
        stockSymbol string 10
        taxID string 50
        taxRegionID integer
        territoryID integer
        apiVendorID integer ro
        createdByResourceID integer ro
        impersonatorCreatorResourceID integer ro
        createDate datetime ro
        lastActivityDate datetime ro
        lastTrackedModifiedDateTime datetime ro
        """
    ),
    modified="lastTrackedModifiedDateTime",
)


@dataclass(frozen=True)
class PicklistValue:
    """One choice of a list field: what is stored, and what people see (they can differ: seen live)."""

    value: str
    label: str
    active: bool = True


PICKLISTS: Final[Mapping[str, tuple[PicklistValue, ...]]] = {
    "companyType": tuple(PicklistValue(*pair) for pair in (("1", "Customer"), ("2", "Lead"), ("3", "Prospect")))
}
"""The choices of built-in fields; tenants may rename them. Values are texts, of numbers too (documented)."""


@dataclass(frozen=True)
class Udf:
    """A user-defined field: plain text when it has no values, else a single-select list.

    Multi-select fields are not reachable through the API at all (documented), so there are none.
    """

    name: str
    values: tuple[PicklistValue, ...] = ()
    label: str | None = None

    def stored(
        self, text: str, accept: Literal["value", "label", "either"], *, inactive: bool = False
    ) -> str | None:
        """Return the value to store for a text, or None if the list has no such (active) choice."""
        if not self.values:
            return text
        for choice in self.values:
            matches = (accept != "label" and text == choice.value) or (accept != "value" and text == choice.label)
            if matches and (choice.active or inactive):
                return choice.value
        return None

    def label_of(self, value: str) -> str:
        """Return what people see for a stored value; values that left the list show as they are."""
        return next((choice.label for choice in self.values if choice.value == value), value)


def text_udf(name: str) -> Udf:
    """Return a field that holds any text."""
    return Udf(name)


def list_udf(name: str, choices: Mapping[str, str] | Iterable[str], *, inactive: Iterable[str] = ()) -> Udf:
    """Return a single-select list field from values, or from a mapping of value to label.

    ::

        list_udf("SMS Opt-In", ["Opted-In", "Opted-Out"])
        list_udf("SMS Opt-In", {"1": "Opted-In", "2": "Opted-Out"}, inactive=["2"])
    """
    pairs = choices if isinstance(choices, Mapping) else {choice: choice for choice in choices}
    gone = set(inactive)
    return Udf(name, tuple(PicklistValue(value, label, value not in gone) for value, label in pairs.items()))


def entity_information(entity: Entity, *, may_update: bool) -> dict[str, Any]:
    """Return the answer of ``/{Entity}/entityInformation`` (documented; access is 0 none, 1 all, 2 restricted)."""
    return {
        "info": {
            "name": entity.singular,
            "canCreate": True,
            "canDelete": entity.name == "Contacts",
            "canQuery": True,
            "canUpdate": may_update,
            "userAccessForCreate": 1,
            "userAccessForDelete": 0,
            "userAccessForQuery": 1,
            "userAccessForUpdate": int(may_update),
            "hasUserDefinedFields": True,
            "supportsWebhookCallouts": True,
        }
    }


def field_information(entity: Entity) -> dict[str, Any]:
    """Return the answer of ``/{Entity}/entityInformation/fields`` (documented)."""
    return {
        "fields": [
            {
                "name": known.name,
                "dataType": known.data_type,
                "length": known.length,
                "isRequired": known.required,
                "isReadOnly": known.read_only,
                "isQueryable": known.queryable,
                "isReference": known.name.endswith("ID"),
                "referenceEntityType": "Company" if known.name in {"companyID", "parentCompanyID"} else "",
                "isPickList": known.name in PICKLISTS,
                "picklistValues": _choices(PICKLISTS.get(known.name, ())),
                "picklistParentValueField": "",
                "isSupportedWebhookField": not known.read_only,
            }
            for known in entity.fields.values()
        ]
    }


def _choices(values: Iterable[PicklistValue]) -> list[dict[str, Any]] | None:
    return [
        {
            "value": choice.value,
            "label": choice.label,
            "isDefaultValue": False,
            "sortOrder": order,
            "parentValue": "",
            "isActive": choice.active,
            "isSystem": False,
        }
        for order, choice in enumerate(values, start=1)
    ] or None


def udf_information(udfs: Iterable[Udf]) -> dict[str, Any]:
    """Return the answer of ``.../entityInformation/userDefinedFields`` (documented; ``type``, not dataType)."""
    return {
        "fields": [
            {
                "name": udf.name,
                "label": udf.label or udf.name,
                "type": "string",
                "length": 0 if udf.values else 8000,
                "description": "",
                "isRequired": False,
                "isReadOnly": False,
                "isQueryable": True,
                "isReference": False,
                "referenceEntityType": "",
                "isPickList": bool(udf.values),
                "picklistValues": _choices(udf.values),
                "picklistParentValueField": "",
                "defaultValue": None,
                "isSupportedWebhookField": False,
            }
            for udf in udfs
        ]
    }
