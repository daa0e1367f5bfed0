package customers

import (
	"time"

	"portal.example/domain/customer"
	"portal.example/projections/table"
)

type customerRow struct {
	table.Origin
	CustomerID string     `db:"customer_id"`
	Reference  string     `db:"reference"`
	Name       string     `db:"name"`
	Language   string     `db:"language"`
	Version    int        `db:"version"`
	AddedAt    *time.Time `db:"added_at"`
}

type contactRow struct {
	table.Origin
	CustomerID string     `db:"customer_id"`
	ContactID  string     `db:"contact_id"`
	Name       string     `db:"name"`
	Email      string     `db:"email"`
	Phone      string     `db:"phone"`
	Language   string     `db:"language"`
	Access     string     `db:"access"`
	PropertyID string     `db:"property_id"`
	UnitID     string     `db:"unit_id"`
	AddedAt    *time.Time `db:"added_at"`
}

func (r *contactRow) key() string { return contactKey(r.CustomerID, r.ContactID) }

func contactKey(customerID, contactID string) string { return customerID + "/" + contactID }

func (r *contactRow) may(rights customer.Rights) {
	r.Access, r.PropertyID, r.UnitID = string(rights.Access), rights.PropertyID, rights.UnitID
}

type propertyRow struct {
	table.Origin
	CustomerID string     `db:"customer_id"`
	PropertyID string     `db:"property_id"`
	Name       string     `db:"name"`
	Address    string     `db:"address"`
	AddedAt    *time.Time `db:"added_at"`
}

type unitRow struct {
	table.Origin
	CustomerID string     `db:"customer_id"`
	PropertyID string     `db:"property_id"`
	UnitID     string     `db:"unit_id"`
	Name       string     `db:"name"`
	AddedAt    *time.Time `db:"added_at"`
}

var (
	customers  = table.New[customerRow]("customers", "customer_id")
	contacts   = table.New[contactRow]("contacts", "customer_id", "contact_id")
	properties = table.New[propertyRow]("properties", "customer_id", "property_id")
	units      = table.New[unitRow]("units", "customer_id", "property_id", "unit_id")
)
