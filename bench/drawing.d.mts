/** Draws a Vega-Lite specification as SVG. */
export function draw(specification: object): Promise<string>;
