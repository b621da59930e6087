/**
 * The schema, from the route that needs no credential: completion and documentation are there before
 * anybody has typed a key, which introspection could not offer.
 */
import { buildSchema, type GraphQLSchema } from "graphql";

export const SCHEMA_PATH = "/schema.graphql";

export async function fetchSchema(): Promise<GraphQLSchema> {
  const response = await fetch(SCHEMA_PATH);
  if (!response.ok) throw new Error(`${SCHEMA_PATH} answered ${response.status}`);
  return buildSchema(await response.text());
}
