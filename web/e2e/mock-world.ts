/** The canned world of the mock gateway: projects made in it get one finished design each. */
import { EventEmitter, on } from "node:events";

interface ProjectInput {
  readonly name?: string;
  readonly location: { readonly propertyAddress?: string; readonly coordinates?: Coordinates };
}

interface Coordinates {
  readonly latitude: number;
  readonly longitude: number;
}

type Unit = { readonly unit: string };

/** How long a design takes: long enough for a subscriber to be there first. */
const DESIGN_TAKES_MS = 1_500;

/** Per watt; the canned summary has one size. */
const WATTS: Readonly<Record<string, number>> = { WATT: 1, KILOWATT: 1e-3, MEGAWATT: 1e-6 };

export class Canned {
  readonly tenantId = "tenant-mock";
  private readonly events = new EventEmitter();
  private readonly created: object[] = [];

  viewer() {
    return { name: "mock", scopes: ["read", "write"], tenants: [{ tenantId: this.tenantId }] };
  }

  projects() {
    return { nodes: this.created, pageInfo: { hasNextPage: false, endCursor: null } };
  }

  createProject({ input }: { input: ProjectInput }) {
    const n = this.created.length + 1;
    const project = {
      projectId: `project-${n}`,
      name: input.name,
      createdAt: new Date().toISOString(),
      location: { propertyAddress: input.location.propertyAddress, ...input.location.coordinates },
      customer: {},
      auroraUrl: `https://aurora.invalid/projects/project-${n}`,
    };
    this.created.push(project);
    setTimeout(() => this.events.emit("completed", this.completed(n)), DESIGN_TAKES_MS);
    return { project, replayed: false, userErrors: [] };
  }

  designSummary({ designId }: { designId: string }) {
    return designId.startsWith("design-") ? summary(designId) : null;
  }

  async *designCompleted() {
    for await (const [event] of on(this.events, "completed")) yield { designCompleted: event };
  }

  private completed(n: number) {
    return {
      id: `event-${n}`,
      cursor: `cursor-${n}`,
      designId: `design-${n}`,
      projectId: `project-${n}`,
      receivedAt: new Date().toISOString(),
      status: "SUCCEEDED",
      summary: summary(`design-${n}`),
    };
  }
}

function summary(designId: string) {
  return {
    id: `summary-${designId}`,
    designId,
    tenantId: "tenant-mock",
    systemSizeStc: ({ unit }: Unit) => 7200 * (WATTS[unit] ?? Number.NaN),
    moduleCount: 18,
    energyProduction: { upToDate: true, annual: 10512.4, annualOffset: 96.2 },
    arrays: [],
    stringInverters: [],
    storageInverters: [],
    batteries: [],
    billOfMaterials: [],
    fetchedAt: new Date().toISOString(),
    stale: false,
  };
}
