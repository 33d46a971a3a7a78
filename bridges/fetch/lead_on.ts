/**
 * A stand-in for an object of the platform: what it does not have itself leads to the real one.
 *
 * @module
 */

/**
 * Lets every member of `platform`, a prototype, that `prototype` does not have itself lead to the real object, and lets
 * `prototype` inherit from it, so that `instanceof` holds.
 *
 * @param real Gives the real object of a stand-in.
 */
export function leadOn<StandIn extends object>(
  prototype: StandIn,
  platform: object,
  real: (standIn: StandIn) => object,
): void {
  for (const key of Reflect.ownKeys(platform)) {
    if (Object.hasOwn(prototype, key)) continue;
    const { value } = Object.getOwnPropertyDescriptor(platform, key) as PropertyDescriptor;
    if (typeof value === "function") leadMethod(prototype, key, real);
    else if (value === undefined) leadProperty(prototype, key, real);
  }
  Object.setPrototypeOf(prototype, platform);
}

/** Lets a property lead to that of the real object. */
export function leadProperty<StandIn extends object>(
  prototype: StandIn,
  key: PropertyKey,
  real: (standIn: StandIn) => object,
): void {
  Object.defineProperty(prototype, key, {
    configurable: true,
    get(this: StandIn): unknown {
      return Reflect.get(real(this), key);
    },
    set(this: StandIn, value: unknown): void {
      Reflect.set(real(this), key, value);
    },
  });
}

function leadMethod<StandIn extends object>(
  prototype: StandIn,
  key: PropertyKey,
  real: (standIn: StandIn) => object,
): void {
  Object.defineProperty(prototype, key, {
    configurable: true,
    writable: true,
    value(this: StandIn, ...args: unknown[]): unknown {
      const object = real(this) as Record<PropertyKey, (...args: unknown[]) => unknown>;
      return object[key]?.(...args);
    },
  });
}
