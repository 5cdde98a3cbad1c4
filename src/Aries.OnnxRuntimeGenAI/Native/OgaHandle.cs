using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Owns an object of the native library, and keeps those alive that it was made of: whatever the order of disposal, a generator goes before its adapters, and these before their model.</summary>
/// <remarks>
/// It has no finalizer. The native side is not thread-safe, so the finalizer's thread must not enter it while another computes: what nobody disposes stays until the process ends.
/// </remarks>
/// <threadsafety>Disposing is safe at any time and more than once; the rest is the native object's.</threadsafety>
internal sealed unsafe class OgaHandle : SafeHandle
{
    private readonly delegate* unmanaged[Cdecl]<nint, void> _destroy;
    private readonly OgaHandle?[] _owners;

    /// <summary>Takes an object over.</summary>
    /// <param name="pointer">The object.</param>
    /// <param name="destroy">Destroys it.</param>
    /// <param name="owners">What must outlive it.</param>
    public OgaHandle(nint pointer, delegate* unmanaged[Cdecl]<nint, void> destroy, params OgaHandle?[] owners)
        : base(0, ownsHandle: true)
    {
        GC.SuppressFinalize(this);
        _destroy = destroy;
        _owners = owners;
        foreach (OgaHandle? owner in owners)
        {
            bool added = false;
            owner?.DangerousAddRef(ref added);
        }

        SetHandle(pointer);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Gets the object.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public nint Pointer => IsClosed ? throw new ObjectDisposedException(nameof(OgaHandle)) : handle;

    protected override bool ReleaseHandle()
    {
        _destroy(handle);
        foreach (OgaHandle? owner in _owners)
        {
            owner?.DangerousRelease();
        }

        return true;
    }
}
