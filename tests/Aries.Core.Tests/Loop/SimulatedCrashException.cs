namespace Aries.Core.Tests;

internal sealed class SimulatedCrashException(string where) : Exception(where);
