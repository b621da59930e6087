import { readFileSync } from "node:fs";
import {
  buildSchema,
  getNamedType,
  getVariableValues,
  isObjectType,
  Kind,
  parse,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
  type GraphQLObjectType,
  type OperationDefinitionNode,
} from "graphql";
import { describe, expect, test } from "vitest";
import { examples } from "./examples";

const schema = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));

describe.each(["t1", null])("for tenant %s", (tenantId) => {
  test.each(examples(tenantId).map((example) => [title(example.query), example] as const))(
    "%s is valid, and so are its variables",
    (_title, { query, variables }) => {
      const document = parse(query);
      expect(validate(schema, document).map((it) => it.message)).toEqual([]);

      const given = getVariableValues(
        schema,
        operation(query).variableDefinitions ?? [],
        variables,
      );
      expect(given.errors?.map((it) => it.message)).toBeUndefined();

      const declared = operation(query).variableDefinitions?.map((it) => it.variable.name.value);
      expect(Object.keys(variables).filter((name) => !declared?.includes(name))).toEqual([]);
    },
  );
});

test("the design summary asks for every field there is", () => {
  const { query } = examples(null).find((it) => title(it.query) === "DesignSummary") ?? {
    query: "",
  };
  const asked = fieldsAsked(query);
  for (const type of summaryTypes()) {
    for (const field of Object.keys(type.getFields())) {
      expect(asked, "add it to examples/design-summary.graphql").toContain(`${type.name}.${field}`);
    }
  }
});

test("the first example only reads", () => {
  expect(operation(examples(null)[0]?.query ?? "").operation).toBe("query");
});

function operation(query: string): OperationDefinitionNode {
  const found = parse(query).definitions.find((it) => it.kind === Kind.OPERATION_DEFINITION);
  if (found === undefined) throw new Error("an example without an operation");
  return found;
}

function title(query: string): string {
  return operation(query).name?.value ?? "";
}

function fieldsAsked(query: string): readonly string[] {
  const asked: string[] = [];
  const info = new TypeInfo(schema);
  const note = {
    Field: (node: { name: { value: string } }) =>
      void asked.push(`${info.getParentType()?.name}.${node.name.value}`),
  };
  visit(parse(query), visitWithTypeInfo(info, note));
  return asked;
}

/** The summary's type and those below it. A project is a noun of its own and ends the walk. */
function summaryTypes(): readonly GraphQLObjectType[] {
  const found = new Set<GraphQLObjectType>();
  const walk = (name: string) => {
    const type = schema.getType(name);
    if (!isObjectType(type) || found.has(type) || name === "Project") return;
    found.add(type);
    for (const field of Object.values(type.getFields())) walk(getNamedType(field.type).name);
  };
  walk("DesignSummary");
  return [...found];
}
