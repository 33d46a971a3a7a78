/**
 * Forwards the members of a stand-in for a platform object to the real object.
 *
 * @module
 */

/**
 * Forwards every member of the prototype `platform` that `prototype` does not define itself to the real object. It also
 * makes `prototype` inherit from `platform`, so that `instanceof` works.
 *
 * @param real Returns the real object behind a stand-in.
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

/** Forwards one property to the real object. */
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
