namespace Aries.OnnxRuntimeGenAI;

/// <summary>Lets one call of the process at a time compute on devices other than the processor.</summary>
/// <remarks>The native library has one stream and one allocator for a device, whatever the number of models. Loading and letting go use them too.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class DeviceGate
{
    public static SemaphoreSlim Instance { get; } = new(1, 1);

    /// <summary>Runs a function when the gate is free; at once where there is none.</summary>
    public static T Run<T>(SemaphoreSlim? gate, Func<T> function)
    {
        gate?.Wait();
        try
        {
            return function();
        }
        finally
        {
            gate?.Release();
        }
    }

    /// <summary>Runs an action when the gate is free; at once where there is none.</summary>
    public static void Run(SemaphoreSlim? gate, Action action) =>
        Run(gate, () =>
        {
            action();
            return true;
        });
}
