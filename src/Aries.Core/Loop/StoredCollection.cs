namespace Aries;

internal sealed record StoredCollection(ChainsReport Chains, PairsReport Pairs);
