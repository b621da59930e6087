/**
 * The operations GraphiQL opens with, in the order a person would try them.
 *
 * A tab is titled by its operation's name, so the names are chosen to read as titles. The first one
 * only reads: whoever presses play out of curiosity changes nothing.
 */
import createByAddress from "./examples/create-by-address.graphql?raw";
import createByBoth from "./examples/create-by-both.graphql?raw";
import createByCoordinates from "./examples/create-by-coordinates.graphql?raw";
import designSummary from "./examples/design-summary.graphql?raw";
import explore from "./examples/explore.graphql?raw";
import watchDesigns from "./examples/watch-designs.graphql?raw";

export interface Example {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** The examples for one tenant; without one the gateway takes the only tenant of the credential. */
export function examples(tenantId: string | null): readonly Example[] {
  const tenant = tenantId === null ? {} : { tenantId };
  return [
    { query: explore, variables: tenant },
    {
      query: createByAddress,
      variables: {
        ...tenant,
        name: "Lovelace residence",
        location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107, USA" },
        customer: { firstName: "Ada", lastName: "Lovelace", email: "ada@example.com" },
      },
    },
    {
      query: createByCoordinates,
      variables: {
        ...tenant,
        name: "Warehouse 7",
        location: { coordinates: { latitude: 37.78066, longitude: -122.39487 } },
        projectType: "COMMERCIAL",
      },
    },
    {
      query: createByBoth,
      variables: {
        ...tenant,
        idempotencyKey: "crm-lead-1042",
        externalProviderId: "crm-lead-1042",
        name: "Hopper residence",
        location: {
          propertyAddress: "1 Ferry Building, San Francisco, CA 94111, USA",
          coordinates: { latitude: 37.79546, longitude: -122.39363 },
        },
      },
    },
    { query: watchDesigns, variables: tenant },
    { query: designSummary, variables: { ...tenant, designId: "the designId of an event" } },
  ];
}
